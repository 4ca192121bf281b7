/**
 * How long nobody can write when the leader dies: it is killed, or frozen, while 16 clients write, and a
 * further write is tried every two milliseconds whatever became of those before. The figure is the longest
 * time between two acknowledged writes.
 *
 * Once with the defaults of both systems, once with the same election timeout and heartbeat.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import type { Cluster } from "../cluster/Cluster.ts"
import { startAll } from "../cluster/Cluster.ts"
import * as EtcdCluster from "../cluster/EtcdCluster.ts"
import type { Member } from "../cluster/Member.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as LoadRun from "../load/LoadRun.ts"
import { BenchFailed, inTurns } from "../Scenario.ts"
import type { Scenario, Variant } from "../Scenario.ts"

const clients = 16
const paceMillis = 2
const valueBytes = 256
const keys = 1000
const warmUpSeconds = 1
/** Longer than any of the systems needs. */
const seconds = 5
/** The leader goes so long after the warm-up. */
const strikeAfterMillis = 1000

const equalTiming = { heartbeatMillis: 10, electionMillis: 100 }

const blows = ["kill -9", "SIGSTOP"] as const
type Blow = (typeof blows)[number]

export const failover: Scenario = {
  name: "failover",
  summary: "time without an acknowledged write when the leader is killed or frozen under load",
  layout: {
    baseline: "etcd",
    columns: [
      { figure: "longestGapMillis", title: "without a write ms", decimals: 0, ratio: true },
      { figure: "perSecond", title: "writes/s", decimals: 0 },
      { figure: "failed", title: "failed", decimals: 0 }
    ]
  },
  run: Effect.fnUntraced(function* (bench) {
    const timings = [
      { name: "defaults", timing: {} },
      { name: "heartbeat 10 ms, election 100 ms", timing: { timing: equalTiming } }
    ].filter(({ name }) => name.includes(bench.only))
    for (const { name, timing } of timings) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const clusters = yield* startClusters(NodePath.join(bench.directory, name), timing)
          const variants = blows.flatMap((blow) =>
            clusters.map((cluster) => variantOf({ cluster, blow, timing: name }))
          )
          yield* inTurns(bench, variants)
        })
      )
    }
  })
}

const startClusters = Effect.fnUntraced(function* (
  directory: string,
  options: { readonly timing?: EtcdCluster.Timing }
) {
  const ours = yield* RaftCluster.make({
    directory: NodePath.join(directory, "ours"),
    size: 3,
    hasProbe: false,
    ...options
  })
  const etcd = (yield* EtcdCluster.isInstalled)
    ? [yield* EtcdCluster.make({ directory: NodePath.join(directory, "etcd"), size: 3, ...options })]
    : []
  const clusters: ReadonlyArray<Cluster> = [...etcd, ours.native]
  yield* Effect.forEach(clusters, startAll, { discard: true })
  return clusters
})

const variantOf = (options: {
  readonly cluster: Cluster
  readonly blow: Blow
  readonly timing: string
}): Variant<BenchFailed, never> => ({
  subject: options.cluster.subject,
  case: { blow: options.blow, timing: options.timing },
  measure: Effect.gen(function* () {
    const { addressOf, leader, members, protocol } = options.cluster
    const victim = yield* leader
    const others = members.filter((member) => member !== victim)
    let isStruck = false
    const { figures } = yield* LoadRun.generate(
      {
        protocol,
        // A client that had asked the victim alone could not go elsewhere; and etcd passes writes on.
        endpoints: [...others, victim].map(addressOf),
        queryAt: "leader",
        operation: "put",
        clients,
        paceMillis,
        valueBytes,
        keys,
        seconds,
        warmUpSeconds
      },
      {
        onBegun: () => {
          setTimeout(() => {
            isStruck = true
            strike(victim, options.blow)
          }, strikeAfterMillis)
        }
      }
    )
    if (!isStruck) return yield* new BenchFailed({ message: "The load ended before the leader was struck" })
    yield* revive(victim, options.blow)
    yield* leader
    return figures
  })
})

const strike = (victim: Member, blow: Blow): void => {
  if (blow === "SIGSTOP") victim.freeze(true)
  else process.kill(victim.pid(), "SIGKILL")
}

const revive = (victim: Member, blow: Blow): Effect.Effect<void, BenchFailed> =>
  blow === "SIGSTOP" ? Effect.sync(() => victim.freeze(false)) : victim.start
