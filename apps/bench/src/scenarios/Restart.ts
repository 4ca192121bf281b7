/**
 * How soon a cluster is back: one server with 100 MB, killed and started; all servers with 100,000 keys,
 * killed and started; and a server that was never started before, which gets 175 MB from the others.
 *
 * The clock runs from the start of the process. "Has everything" is the first linearizable read that the
 * server answers by itself.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as NodePath from "node:path"
import type { Cluster } from "../cluster/Cluster.ts"
import { startAll } from "../cluster/Cluster.ts"
import * as EtcdCluster from "../cluster/EtcdCluster.ts"
import type { Member } from "../cluster/Member.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as Drivers from "../load/Drivers.ts"
import * as LoadRun from "../load/LoadRun.ts"
import type { LoadSpec } from "../load/LoadSpec.ts"
import { BenchFailed, inTurns } from "../Scenario.ts"
import type { Bench, Figures, Needs, Scenario, Variant } from "../Scenario.ts"

export const restart: Scenario = {
  name: "restart",
  summary: "how soon one server, all servers, or an empty server are back",
  layout: {
    baseline: "etcd",
    columns: [
      { figure: "listensMillis", title: "listens ms", decimals: 0, ratio: true },
      { figure: "currentMillis", title: "has everything ms", decimals: 0, ratio: true },
      { figure: "firstPutMillis", title: "first put ms", decimals: 0, ratio: true },
      { figure: "electionMillis", title: "of it election ms", decimals: 0 },
      { figure: "withoutElectionMillis", title: "without election ms", decimals: 0 }
    ]
  },
  run: (bench) =>
    Effect.gen(function* () {
      const systems = (yield* EtcdCluster.isInstalled) ? [etcd, ours] : [ours]
      const scale = bench.isQuick ? 0.1 : 1
      const variants = systems.flatMap((system) => [
        variantOf(bench, system, "one server with 100 MB", oneServer(25_000 * scale)),
        variantOf(bench, system, "all servers with 100,000 keys", allServers(100_000 * scale)),
        variantOf(bench, system, "an empty server, 175 MB", emptyServer(43_000 * scale))
      ])
      const chosen = variants.filter(({ case: { what } }) => String(what).includes(bench.only))
      yield* inTurns({ ...bench, rounds: Math.min(bench.rounds, 3) }, chosen)
    })
}

interface System {
  readonly subject: string
  readonly make: (directory: string) => Effect.Effect<Cluster, BenchFailed, Needs>
}

const ours: System = {
  subject: "effect-raft",
  make: (directory) =>
    Effect.map(RaftCluster.make({ directory, size: 3, hasProbe: false }), ({ native }) => native)
}

const etcd: System = {
  subject: "etcd",
  make: (directory) => EtcdCluster.make({ directory, size: 3 })
}

type Measure = (cluster: Cluster) => Effect.Effect<Figures, BenchFailed>

/** Every measurement has a cluster of its own. */
const variantOf = (
  bench: Bench,
  { make, subject }: System,
  what: string,
  measure: Measure
): Variant<BenchFailed, Needs> => {
  let count = 0
  return {
    subject,
    case: { what },
    measure: Effect.suspend(() =>
      make(NodePath.join(bench.directory, `${subject}, ${what}, ${count++}`.replaceAll(/\W+/g, "-")))
    ).pipe(Effect.flatMap(measure), Effect.scoped)
  }
}

const oneServer =
  (keys: number): Measure =>
  (cluster) =>
    Effect.gen(function* () {
      yield* startAll(cluster)
      yield* fill(cluster, { keys, valueBytes: 4096 })
      const follower = yield* aFollower(cluster)
      yield* follower.kill("SIGKILL")
      return yield* timeStart(cluster, follower)
    })

const emptyServer =
  (keys: number): Measure =>
  (cluster) =>
    Effect.gen(function* () {
      const [newcomer, ...others] = cluster.members
      yield* startAll({ ...cluster, members: others })
      yield* fill(cluster, { keys, valueBytes: 4096 })
      return yield* timeStart(cluster, newcomer!)
    })

const allServers =
  (keys: number): Measure =>
  (cluster) =>
    Effect.gen(function* () {
      yield* startAll(cluster)
      yield* fill(cluster, { keys, valueBytes: 256 })
      yield* Effect.forEach(cluster.members, ({ kill }) => kill("SIGKILL"), { concurrency: "unbounded" })
      const startedMillis = Date.now()
      const elapsedMillis = stopwatch()
      yield* Effect.forEach(cluster.members, ({ start }) => start, { concurrency: "unbounded" })
      const listensMillis = elapsedMillis()
      yield* untilDone(cluster, cluster.members, (driver) => driver.put("key-00000000", new Uint8Array(256)))
      const firstPutMillis = elapsedMillis()
      if (cluster.electedMillis === undefined) return { listensMillis, firstPutMillis }
      const electedMillis = (yield* untilElectedAfter(cluster.electedMillis, startedMillis)) - startedMillis
      // Somebody may be elected while the last of the servers does not listen yet.
      const electionMillis = Math.max(0, electedMillis - listensMillis)
      return {
        listensMillis,
        firstPutMillis,
        electionMillis,
        withoutElectionMillis: firstPutMillis - electionMillis
      }
    })

/** The election that came after the start; what is known before is of an earlier life. */
const untilElectedAfter = (electedMillis: Effect.Effect<number, BenchFailed>, startedMillis: number) =>
  electedMillis.pipe(
    Effect.filterOrFail(
      (millis) => millis >= startedMillis,
      () => new BenchFailed({ message: "No server says that it was elected after the start" })
    ),
    Effect.retry({ schedule: Schedule.spaced(electedPollMillis), times: electedPolls })
  )

const aFollower = (cluster: Cluster): Effect.Effect<Member, BenchFailed> =>
  Effect.map(cluster.leader, (leader) => cluster.members.find((member) => member !== leader)!)

const timeStart = (cluster: Cluster, member: Member): Effect.Effect<Figures, BenchFailed> =>
  Effect.gen(function* () {
    const elapsedMillis = stopwatch()
    yield* member.start
    const listensMillis = elapsedMillis()
    yield* untilDone(cluster, [member], (driver) => driver.get("key-00000000", "linearizable"))
    return { listensMillis, currentMillis: elapsedMillis() }
  })

const stopwatch = (): (() => number) => {
  const startMillis = performance.now()
  return () => performance.now() - startMillis
}

const specOf = (cluster: Cluster, members: ReadonlyArray<Member>): LoadSpec => ({
  protocol: cluster.protocol,
  endpoints: members.map(cluster.addressOf),
  queryAt: "any",
  operation: "fill",
  clients: 1,
  valueBytes: 0,
  keys: 0,
  seconds: 0,
  warmUpSeconds: 0
})

const fill = (cluster: Cluster, contents: { readonly keys: number; readonly valueBytes: number }) =>
  Effect.flatMap(cluster.leader, (leader) => LoadRun.generate({ ...specOf(cluster, [leader]), ...contents }))

/** A server says it a second after its election. */
const electedPollMillis = 100
const electedPolls = 30

const pauseMillis = 5
const patienceMillis = 60_000

/** Tries until it succeeds once. */
const untilDone = (
  cluster: Cluster,
  members: ReadonlyArray<Member>,
  operation: (driver: Drivers.Driver) => Effect.Effect<unknown, { readonly message: string }>
): Effect.Effect<void, BenchFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const driver = yield* Drivers.make(specOf(cluster, members))
      yield* Effect.retry(operation(driver), { until: () => false, schedule: Schedule.spaced(pauseMillis) })
    })
  ).pipe(
    Effect.timeoutOrElse({
      duration: patienceMillis,
      orElse: () =>
        Effect.fail(new BenchFailed({ message: `Nothing was served within ${patienceMillis} ms` }))
    }),
    Effect.mapError(({ message }) => new BenchFailed({ message }))
  )
