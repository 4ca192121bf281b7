/**
 * Whether servers grow, and how much memory they take beside etcd's: three of them under writes to the same keys,
 * minute after minute, past several snapshots and compactions of the log. Each minute is a case; the figures are those
 * at its end, while the servers still hold what the load left them with.
 *
 * One system after the other, so that none of them rests and gives memory back while another is measured. etcd keeps
 * the history of every key until it is told to compact it, so it stands there twice: as it is by default, and
 * compacting every minute. It is watched for five minutes at most: by default it takes no more writes when it has 2 GiB.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import type { Cluster } from "../cluster/Cluster.ts"
import { startAll } from "../cluster/Cluster.ts"
import * as EtcdCluster from "../cluster/EtcdCluster.ts"
import * as ProcessUsage from "../cluster/ProcessUsage.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as LoadRun from "../load/LoadRun.ts"
import type { Bench, Scenario } from "../Scenario.ts"

const clients = 256
const valueBytes = 256
const keys = 10_000
const minuteSeconds = 60
const etcdMinutes = 5

export const memory: Scenario = {
  name: "memory",
  summary: "memory of three servers under 256 clients, minute after minute, beside etcd's",
  layout: {
    baseline: "etcd",
    columns: [
      { figure: "serverResidentMb", title: "servers MB", decimals: 0, ratio: true },
      { figure: "serverProportionalMb", title: "shared once MB", decimals: 0, ratio: true },
      { figure: "largestResidentMb", title: "largest MB", decimals: 0 },
      { figure: "perSecond", title: "puts/s", decimals: 0 },
      { figure: "totalPuts", title: "puts so far", decimals: 0 },
      { figure: "failed", title: "failed", decimals: 0 }
    ]
  },
  run: Effect.fnUntraced(function* (bench) {
    const chosen = systems.filter(({ name }) => name.includes(bench.only))
    const hasEtcd = yield* EtcdCluster.isInstalled
    for (const { isEtcd, make, name } of chosen) {
      if (isEtcd && !hasEtcd) continue
      const minutes = isEtcd ? Math.min(etcdMinutes, bench.minutes) : bench.minutes
      const directory = NodePath.join(bench.directory, name.replaceAll(/\W+/g, "-"))
      yield* Effect.scoped(Effect.flatMap(make(directory), (cluster) => watch(bench, { cluster, minutes })))
    }
  })
}

/** What is measured. `--only` picks by the name. */
const systems = [
  {
    name: "effect-raft",
    isEtcd: false,
    make: (directory: string) =>
      Effect.map(RaftCluster.make({ directory, size: 3, hasProbe: false }), ({ native }): Cluster => native)
  },
  etcdWith("etcd", []),
  etcdWith("etcd, compacting every minute", [
    "--auto-compaction-mode=periodic",
    "--auto-compaction-retention=1m"
  ])
]

function etcdWith(name: string, flags: ReadonlyArray<string>) {
  return {
    name,
    isEtcd: true,
    make: (directory: string) =>
      Effect.map(
        EtcdCluster.make({ directory, size: 3, subject: name, flags }),
        (cluster): Cluster => cluster
      )
  }
}

const watch = Effect.fnUntraced(function* (
  bench: Bench,
  { cluster, minutes }: { readonly cluster: Cluster; readonly minutes: number }
) {
  yield* startAll(cluster)
  let totalPuts = 0
  for (let minute = 1; minute <= Math.ceil(minutes); minute++) {
    const leader = yield* cluster.leader
    const { figures, operations } = yield* LoadRun.generate({
      protocol: cluster.protocol,
      endpoints: [leader, ...cluster.members].map(cluster.addressOf),
      queryAt: "leader",
      operation: "put",
      clients,
      valueBytes,
      keys,
      seconds: Math.min(1, minutes - (minute - 1)) * minuteSeconds,
      warmUpSeconds: 0
    })
    totalPuts += operations
    const usages = cluster.members.map(({ pid }) => ProcessUsage.of(pid()))
    yield* bench.report({
      subject: cluster.subject,
      case: { minute },
      round: 1,
      figures: {
        serverResidentMb: sumOf(usages, "residentBytes") / 1_000_000,
        serverProportionalMb: sumOf(usages, "proportionalBytes") / 1_000_000,
        largestResidentMb: Math.max(...usages.map(({ residentBytes }) => residentBytes)) / 1_000_000,
        perSecond: figures["perSecond"] ?? 0,
        failed: figures["failed"] ?? 0,
        totalPuts
      }
    })
  }
})

const sumOf = (usages: ReadonlyArray<ProcessUsage.Usage>, what: keyof ProcessUsage.Usage): number =>
  usages.reduce((sum, usage) => sum + usage[what], 0)
