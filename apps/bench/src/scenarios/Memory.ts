/**
 * Whether servers grow: three of them under writes to the same keys, minute after minute, past several
 * snapshots and compactions of the log. Each minute is a case; the figures are those at its end.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import { startAll } from "../cluster/Cluster.ts"
import * as ProcessUsage from "../cluster/ProcessUsage.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as LoadRun from "../load/LoadRun.ts"
import type { Scenario } from "../Scenario.ts"

const clients = 256
const valueBytes = 256
const keys = 10_000
const minuteSeconds = 60

export const memory: Scenario = {
  name: "memory",
  summary: "memory of three servers under 256 clients, minute after minute",
  layout: {
    columns: [
      { figure: "serverResidentMb", title: "servers MB", decimals: 0 },
      { figure: "serverProportionalMb", title: "shared once MB", decimals: 0 },
      { figure: "largestResidentMb", title: "largest MB", decimals: 0 },
      { figure: "perSecond", title: "puts/s", decimals: 0 },
      { figure: "totalPuts", title: "puts so far", decimals: 0 },
      { figure: "failed", title: "failed", decimals: 0 }
    ]
  },
  run: Effect.fnUntraced(function* (bench) {
    const { native } = yield* RaftCluster.make({
      directory: NodePath.join(bench.directory, "ours"),
      size: 3,
      hasProbe: false
    })
    yield* startAll(native)
    let totalPuts = 0
    const minutes = Math.ceil(bench.minutes)
    for (let minute = 1; minute <= minutes; minute++) {
      const leader = yield* native.leader
      const { figures, operations } = yield* LoadRun.generate({
        protocol: native.protocol,
        endpoints: [leader, ...native.members].map(native.addressOf),
        queryAt: "leader",
        operation: "put",
        clients,
        valueBytes,
        keys,
        seconds: Math.min(1, bench.minutes - (minute - 1)) * minuteSeconds,
        warmUpSeconds: 0
      })
      totalPuts += operations
      const usages = native.members.map(({ pid }) => ProcessUsage.of(pid()))
      yield* bench.report({
        subject: native.subject,
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
}

const sumOf = (usages: ReadonlyArray<ProcessUsage.Usage>, what: keyof ProcessUsage.Usage): number =>
  usages.reduce((sum, usage) => sum + usage[what], 0)
