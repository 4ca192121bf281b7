/**
 * A remote client: that it finds the leader from anywhere, follows it, tries again what is safe and nothing
 * else, and that its calls always end.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { NodeId } from "../../src/NodeId.ts"
import { addressOf, clientTest, whileTheLeaderDies } from "./ClientTest.ts"
import type { TallyCluster } from "./ClientTest.ts"

const others = (cluster: TallyCluster, nodeId: NodeId) =>
  cluster.nodeIds.filter((other) => other !== nodeId) as [NodeId, NodeId]

/** The outcome of a call, driven to its end. */
const settle = <A, E>(cluster: TallyCluster, call: Effect.Effect<A, E>) =>
  cluster.drive(Effect.result(call), { within: "30 seconds" })

clientTest("finds the leader from any one endpoint", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader()
    for (const [place, nodeId] of cluster.nodeIds.entries()) {
      const client = yield* doors.client({ endpoints: [addressOf(nodeId)] })
      assert.strictEqual(yield* cluster.drive(client.propose(`from ${nodeId}`)), place + 1)
      assert.strictEqual(yield* cluster.drive(client.query({ _tag: "Count" })), place + 1)
    }
  })
)

clientTest("waits for a leader where there is none yet", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const client = yield* doors.client()
    assert.strictEqual(yield* cluster.drive(client.propose("early")), 1)
  })
)

clientTest("skips endpoints where nobody is", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const client = yield* doors.client({ endpoints: ["nowhere", "elsewhere", addressOf(leader)] })
    assert.strictEqual(yield* cluster.drive(client.propose("x")), 1)
  })
)

clientTest("goes on with the next leader when the leader dies", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const client = yield* doors.client()
    yield* cluster.drive(client.propose("before"))
    yield* doors.kill(leader)
    assert.strictEqual(yield* cluster.drive(client.propose("after")), 2)
    assert.notStrictEqual(yield* cluster.awaitLeader(), leader)
  })
)

clientTest("a leader killed mid-stream leaves nothing applied twice", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const client = yield* doors.client()
    const outcomes = yield* whileTheLeaderDies(cluster, doors, client.propose)
    const all = yield* cluster.drive(client.query({ _tag: "Count" }))
    const next = yield* cluster.awaitLeader()
    const applied = yield* cluster.read((state) => state, next)
    assert.strictEqual(applied.length, all)
    for (const [i, outcome] of outcomes.entries()) {
      const times = applied.filter((command) => command === `${i}`).length
      if (Result.isSuccess(outcome)) assert.strictEqual(times, 1)
      else {
        assert.strictEqual(outcome.failure.reason._tag, "OutcomeUnknown")
        assert.isAtMost(times, 1)
      }
    }
    assert.isAtLeast(outcomes.filter(Result.isSuccess).length, 150)
  })
)

clientTest(
  "a lost answer to a command is an unknown outcome, to a query a second try",
  { size: 1 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const [only] = cluster.nodeIds as [NodeId]
      yield* cluster.awaitLeader()
      const client = yield* doors.client()
      yield* cluster.drive(client.propose("first"))
      const command = yield* Effect.forkChild(Effect.result(client.propose("second")), {
        startImmediately: true
      })
      const query = yield* Effect.forkChild(Effect.result(client.query({ _tag: "Count" })), {
        startImmediately: true
      })
      // Both have left, and the answers are on their way or not even that.
      assert.strictEqual(doors.hall.cut(addressOf(only)), 1)
      const proposed = yield* cluster.drive(Fiber.join(command))
      assert.isTrue(Result.isFailure(proposed) && proposed.failure.reason._tag === "OutcomeUnknown")
      assert.isTrue(Result.isFailure(proposed) && proposed.failure.outcome === "unknown")
      assert.isTrue(Result.isSuccess(yield* cluster.drive(Fiber.join(query))))
    })
)

clientTest("gives up when its time is over, and says what is known", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const client = yield* doors.client({ timeoutMillis: 1000 })
    yield* cluster.drive(client.propose("x"))
    for (const follower of others(cluster, leader)) yield* doors.kill(follower)
    const sent = yield* settle(cluster, client.propose("sent"))
    assert.isTrue(Result.isFailure(sent) && sent.failure.outcome === "unknown")
    yield* doors.kill(leader)
    const unsent = yield* settle(cluster, client.propose("unsent"))
    assert.isTrue(Result.isFailure(unsent) && unsent.failure.reason._tag === "Unreachable")
    assert.isTrue(Result.isFailure(unsent) && unsent.failure.outcome === "none")
  })
)

clientTest("says at once that no node wants it", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader()
    const client = yield* doors.client({ clusterId: "another" })
    const refused = yield* Effect.result(client.propose("x"))
    assert.isTrue(Result.isFailure(refused) && /belongs to cluster test/.test(refused.failure.message))
  })
)

clientTest("refuses what is too much, at once and without a trace", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const client = yield* doors.client({ maxCalls: 10 })
    yield* cluster.drive(client.propose("x"))
    for (const follower of others(cluster, leader)) yield* doors.kill(follower)
    const calls = yield* Effect.forEach(Array.from({ length: 10 }), () =>
      Effect.forkChild(client.propose("y"), { startImmediately: true })
    )
    const refused = yield* Effect.result(client.propose("z"))
    assert.isTrue(Result.isFailure(refused) && refused.failure.reason._tag === "Overloaded")
    assert.strictEqual(yield* client.callsUnderWay, 10)
    for (const call of calls) yield* Fiber.interrupt(call)
    assert.strictEqual(yield* client.callsUnderWay, 0)
  })
)

clientTest(
  "a node refuses more than it promised to hold for one client",
  { size: 1, config: { maxClientRequests: 4 } },
  (cluster, doors) =>
    Effect.gen(function* () {
      yield* cluster.awaitLeader()
      const client = yield* doors.client()
      // The client keeps to what the node promised, so all of them succeed, four at a time.
      const counts = yield* cluster.drive(
        Effect.forEach(Array.from({ length: 20 }), () => client.propose("x"), { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(
        counts,
        Array.from({ length: 20 }, (_, i) => i + 1)
      )
    })
)

clientTest("stale queries are answered by a follower that is cut off", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [follower] = others(cluster, leader)
    const writer = yield* doors.client()
    yield* cluster.drive(writer.propose("x"))
    yield* cluster.until("the follower has applied it", () => cluster.applied(follower).length > 1)
    const reader = yield* doors.client({ endpoints: [addressOf(follower)], queryAt: "any" })
    cluster.network.isolate(follower)
    assert.strictEqual(yield* cluster.drive(reader.query({ _tag: "Count" }, { consistency: "stale" })), 1)
  })
)

clientTest("a deposed leader answers no linearizable query", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const deposed = yield* cluster.awaitLeader()
    const reader = yield* doors.client({
      endpoints: [addressOf(deposed)],
      queryAt: "any",
      timeoutMillis: 2000
    })
    assert.strictEqual(yield* cluster.drive(reader.query({ _tag: "Count" })), 0)
    cluster.network.isolate(deposed)
    yield* cluster.awaitLeader({ among: others(cluster, deposed) })
    const writer = yield* doors.client({ endpoints: others(cluster, deposed).map(addressOf) })
    yield* cluster.drive(writer.propose("x"))
    assert.isTrue(Result.isFailure(yield* settle(cluster, reader.query({ _tag: "Count" }))))
  })
)
