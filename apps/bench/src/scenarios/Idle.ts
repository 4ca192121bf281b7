/**
 * What three servers use while nobody asks them anything: processor time of each, and memory.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import type { Cluster } from "../cluster/Cluster.ts"
import { startAll } from "../cluster/Cluster.ts"
import * as EtcdCluster from "../cluster/EtcdCluster.ts"
import * as ProcessUsage from "../cluster/ProcessUsage.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import { inTurns } from "../Scenario.ts"
import type { Scenario } from "../Scenario.ts"

/** The first seconds of a process are those of its compiler, and of a collector that tidies up after it. */
const settleMillis = 20_000

export const idle: Scenario = {
  name: "idle",
  summary: "three servers that nobody asks anything",
  layout: {
    baseline: "etcd",
    columns: [
      { figure: "cpuPercentOfACore", title: "CPU % of a core, each", decimals: 2, ratio: true },
      { figure: "serverResidentMb", title: "servers MB", decimals: 0, ratio: true },
      { figure: "serverProportionalMb", title: "shared once MB", decimals: 0, ratio: true }
    ]
  },
  run: Effect.fnUntraced(function* (bench) {
    const ours = yield* RaftCluster.make({
      directory: NodePath.join(bench.directory, "ours"),
      size: 3,
      hasProbe: false
    })
    const etcd = (yield* EtcdCluster.isInstalled)
      ? [yield* EtcdCluster.make({ directory: NodePath.join(bench.directory, "etcd"), size: 3 })]
      : []
    const clusters: ReadonlyArray<Cluster> = [...etcd, ours.native]
    yield* Effect.forEach(clusters, startAll, { discard: true })
    yield* Effect.sleep(settleMillis)
    yield* inTurns(
      bench,
      clusters.map(({ members, subject }) => ({
        subject,
        case: { servers: members.length },
        measure: Effect.gen(function* () {
          const pids = members.map(({ pid }) => pid())
          const before = ProcessUsage.ofAll(pids)
          yield* Effect.sleep(bench.seconds * 1000)
          const after = ProcessUsage.ofAll(pids)
          const micros = (after.cpuMicros - before.cpuMicros) / members.length
          return {
            cpuPercentOfACore: micros / (bench.seconds * 10_000),
            serverResidentMb: after.residentBytes / 1_000_000,
            serverProportionalMb: after.proportionalBytes / 1_000_000
          }
        })
      }))
    )
  })
}
