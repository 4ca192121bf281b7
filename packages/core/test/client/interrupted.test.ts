/**
 * Callers that go away leave nothing behind: ten thousand interrupted proposals and reads, on the nodes and
 * through remote clients, and afterwards no slot is taken and no fiber runs that did not run before.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import type { TallyClient, TallyCluster } from "./ClientTest.ts"
import { clientTest } from "./ClientTest.ts"

const rounds = 100
const callsOfRound = 100

/** Counts the fibers that run now. */
const census = () => {
  let alive = 0
  const service: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => void alive++,
    recordFiberEnd: () => void alive--
  }
  return { alive: () => alive, service }
}

type Calls = ReadonlyArray<Effect.Effect<unknown, unknown>>

const localCalls = (cluster: TallyCluster): Calls =>
  cluster.nodeIds.flatMap((nodeId) => [
    cluster.raft(nodeId).propose("x"),
    cluster.raft(nodeId).read((state) => state.length)
  ])

const remoteCalls = (client: TallyClient): Calls => [
  client.propose("y"),
  client.query({ _tag: "Count" }),
  client.query({ _tag: "Count" }, { consistency: "stale" })
]

/** Begins many calls and takes them back, each time somewhere else between not begun and answered. */
const interruptMany = Effect.fnUntraced(function* (
  cluster: TallyCluster,
  calls: Calls,
  afterRound: Effect.Effect<void>
) {
  for (let round = 0; round < rounds; round++) {
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    for (let place = 0; place < callsOfRound; place++) {
      const call = calls[yield* Random.nextIntBetween(0, calls.length - 1)]!
      fibers.push(yield* Effect.forkChild(Effect.exit(call), { startImmediately: place % 2 === 0 }))
    }
    for (let turn = round % 9; turn > 0; turn--) yield* Effect.yieldNow
    if (round % 10 === 9) yield* cluster.advance(1)
    yield* Fiber.interruptAll(fibers)
    yield* afterRound
  }
})

const waiting = (cluster: TallyCluster) =>
  Effect.forEach(cluster.nodeIds, (nodeId) => cluster.raft(nodeId).waiting)

const nobody = { proposals: 0, reads: 0, forwarded: 0 }

clientTest(
  "ten thousand interrupted proposals and reads leave no slot and no fiber",
  { size: 3, trace: false },
  (cluster) => {
    const { alive, service } = census()
    return Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* cluster.propose("first", leader)
      const fibersBefore = alive()
      // A slot is free as soon as its caller has gone; what was passed on frees the leader's when it is applied.
      const isFree = Effect.map(waiting(cluster), (counts) => {
        assert.deepStrictEqual(
          counts.map(({ forwarded, reads }) => ({ forwarded, reads })),
          counts.map(() => ({ forwarded: 0, reads: 0 }))
        )
      })
      yield* interruptMany(cluster, localCalls(cluster), isFree)
      yield* cluster.advance(1000)
      assert.deepStrictEqual(yield* waiting(cluster), [nobody, nobody, nobody])
      assert.strictEqual(alive(), fibersBefore)
    }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, service))
  }
)

clientTest(
  "ten thousand interrupted calls of a remote client leave no place, no slot and no fiber",
  { size: 3, trace: false },
  (cluster, doors) => {
    const { alive, service } = census()
    return Effect.gen(function* () {
      yield* cluster.awaitLeader()
      const client = yield* doors.client()
      yield* cluster.drive(client.propose("first"))
      const fibersBefore = alive()
      assert.isAbove(fibersBefore, 0)
      const isFree = Effect.map(client.callsUnderWay, (calls) => assert.strictEqual(calls, 0))
      yield* interruptMany(cluster, remoteCalls(client), isFree)
      yield* cluster.advance(1000)
      assert.deepStrictEqual(yield* waiting(cluster), [nobody, nobody, nobody])
      assert.strictEqual(alive(), fibersBefore)
      assert.strictEqual(doors.hall.connections(), 1)
    }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, service))
  }
)
