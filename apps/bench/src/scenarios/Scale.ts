/**
 * What a write costs as things grow: members, keys, clients that are connected, and the log. Each should
 * stay flat, or be explained: every member more is one more that the leader sends to and that writes.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import { startAll } from "../cluster/Cluster.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as LoadRun from "../load/LoadRun.ts"
import type { LoadSpec } from "../load/LoadSpec.ts"
import type { BenchFailed } from "../Scenario.ts"
import { inTurns } from "../Scenario.ts"
import type { Bench, Figures, Needs, Scenario, Variant } from "../Scenario.ts"
import { layout } from "./Versus.ts"

const clients = 256
const valueBytes = 256
const usualKeys = 10_000
const warmUpSeconds = 3

export const scale: Scenario = {
  name: "scale",
  summary: "cost per write as members, keys, connections and the log grow",
  layout: { columns: [{ figure: "entries", title: "entries so far", decimals: 0 }, ...layout.columns] },
  run: (bench) => {
    const keyCounts = bench.isQuick ? [1000, 10_000] : [1000, 100_000, 1_000_000]
    const variants = [
      ...[1, 3, 5, 7].map((members) => variantOf(bench, { members }, { size: members })),
      ...keyCounts.map((keys) => variantOf(bench, { keys }, { keys })),
      ...[1, 100, 1000, 5000].map((connections) => variantOf(bench, { connections }, { connections }))
    ].filter(({ case: grown }) => Object.keys(grown).some((name) => name.includes(bench.only)))
    const rounds = Math.min(bench.rounds, 3)
    return Effect.andThen(inTurns({ ...bench, rounds }, variants), growLog(bench))
  }
}

interface Grown {
  readonly size?: number
  readonly keys?: number
  readonly connections?: number
}

const withCluster = <A>(
  bench: Bench,
  size: number,
  use: (cluster: Cluster) => Effect.Effect<A, BenchFailed>
): Effect.Effect<A, BenchFailed, Needs> =>
  Effect.scoped(
    Effect.gen(function* () {
      const directory = NodePath.join(bench.directory, `cluster-${Math.floor(performance.now())}`)
      const { native } = yield* RaftCluster.make({ directory, size })
      yield* startAll(native)
      return yield* use(native)
    })
  )

const specOf = Effect.fnUntraced(function* (cluster: Cluster, bench: Bench) {
  const leader = yield* cluster.leader
  return {
    protocol: cluster.protocol,
    endpoints: [cluster.addressOf(leader)],
    queryAt: "leader",
    operation: "put",
    clients,
    valueBytes,
    keys: usualKeys,
    seconds: bench.seconds,
    warmUpSeconds
  } satisfies LoadSpec
})

const variantOf = (
  bench: Bench,
  varied: Variant<never, never>["case"],
  grown: Grown
): Variant<BenchFailed, Needs> => ({
  subject: "effect-raft",
  case: varied,
  measure: withCluster(bench, grown.size ?? 3, (cluster) =>
    Effect.gen(function* () {
      const spec = yield* specOf(cluster, bench)
      const keys = grown.keys ?? usualKeys
      if (grown.keys !== undefined) yield* LoadRun.generate({ ...spec, keys, operation: "fill" })
      const connections = grown.connections ?? 1
      return yield* LoadRun.measure(cluster, {
        ...spec,
        keys,
        connections,
        clients: Math.max(clients, connections)
      })
    })
  )
})

const logTargets = [1_000_000, 3_000_000, 10_000_000]

/** One cluster whose log grows; measured each time it has reached a size. */
const growLog = (bench: Bench) => {
  if (!"log".includes(bench.only)) return Effect.void
  const targets = bench.isQuick ? [10_000, 100_000] : logTargets
  return withCluster(bench, 3, (cluster) =>
    Effect.gen(function* () {
      const spec = yield* specOf(cluster, bench)
      let entries = 0
      for (const target of targets) {
        while (entries < target) {
          const { operations } = yield* LoadRun.generate({ ...spec, seconds: 20, clients: 1024 })
          entries += operations
        }
        const figures: Figures = yield* LoadRun.measure(cluster, spec)
        yield* bench.report({
          subject: "effect-raft",
          case: { log: target },
          round: 1,
          figures: { ...figures, entries }
        })
      }
    })
  )
}
