/**
 * Bounds: past each of them a caller is told so at once, nothing has happened, and it is over when the
 * pressure is.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { RaftError } from "../../src/RaftError.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const journal = (all: ReadonlyArray<string>) => all

/** How many of `count` calls made at once were refused because of `bound`; the others succeed. */
const refusedOf = <A>(
  cluster: JournalCluster,
  count: number,
  bound: string,
  call: Effect.Effect<A, RaftError>
) =>
  Effect.gen(function* () {
    const calls = yield* Effect.forEach(Array.from({ length: count }), () =>
      Effect.forkChild(Effect.exit(Effect.flip(call)), { startImmediately: true })
    )
    const exits = yield* cluster.drive(Fiber.joinAll(calls))
    const errors = exits.flatMap((exit) => (exit._tag === "Success" ? [exit.value] : []))
    for (const error of errors) {
      assert.deepInclude(error.reason, { _tag: "Overloaded", bound })
      assert.strictEqual(error.outcome, "none")
    }
    return errors.length
  })

clusterTest("proposals past maxQueuedRequests", { size: 1, config: { maxQueuedRequests: 4 } }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const propose = cluster.raft(leader).propose("x")
    assert.strictEqual(yield* refusedOf(cluster, 10, "maxQueuedRequests", propose), 6)
    assert.strictEqual((yield* cluster.read(journal)).length, 4)
    assert.strictEqual(yield* cluster.propose("later"), 4)
  })
)

clusterTest("reads past maxQueuedRequests", { size: 1, config: { maxQueuedRequests: 4 } }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const read = cluster.raft(leader).read(journal)
    assert.strictEqual(yield* refusedOf(cluster, 10, "maxQueuedRequests", read), 6)
    assert.deepStrictEqual(yield* cluster.read(journal), [])
  })
)

clusterTest(
  "proposals past maxUncommittedBytes",
  { size: 3, config: { maxUncommittedBytes: 1000 } },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const followers = cluster.nodeIds.filter((nodeId) => nodeId !== leader)
      for (const nodeId of followers) yield* cluster.disk.hang(cluster.identityOf(nodeId))
      const raft = cluster.raft(leader)
      let taken = 0
      const error = yield* Effect.gen(function* () {
        for (taken = 0; taken < 100; taken++) yield* raft.submit("x".repeat(100))
        return assert.fail("no bound")
      }).pipe(Effect.flip)
      assert.deepInclude(error.reason, { _tag: "Overloaded", bound: "maxUncommittedBytes", limit: 1000 })
      assert.isAtMost(taken, 10)

      // Reads are not held up, and writes go on as soon as something commits.
      assert.deepStrictEqual(yield* cluster.read(journal, leader), [])
      for (const nodeId of followers) yield* cluster.disk.release(cluster.identityOf(nodeId))
      yield* cluster.until("they commit", () => cluster.state(leader).commitIndex === taken + 1)
      assert.strictEqual(yield* cluster.propose("later", leader), taken)
    })
)

clusterTest("a command past maxCommandBytes", { size: 3, config: { maxCommandBytes: 100 } }, (cluster) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader()
    for (const nodeId of cluster.nodeIds) {
      const raft = cluster.raft(nodeId)
      for (const call of [
        Effect.asVoid(raft.propose("x".repeat(101))),
        Effect.asVoid(raft.submit("x".repeat(101)))
      ]) {
        const { reason, outcome } = yield* Effect.flip(call)
        assert.deepInclude(reason, { _tag: "CommandTooLarge", maxBytes: 100 })
        if (reason._tag === "CommandTooLarge") assert.isAbove(reason.bytes, 100)
        assert.strictEqual(outcome, "none")
      }
    }
    assert.strictEqual(yield* cluster.propose("x".repeat(90)), 0)
  })
)

clusterTest("a command that does not fit the schema", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader()
    const raft = cluster.raft(cluster.nodeIds[0]!)
    const notAString = 17 as unknown as string
    for (const call of [Effect.asVoid(raft.propose(notAString)), Effect.asVoid(raft.submit(notAString))]) {
      const { reason, outcome, message } = yield* Effect.flip(call)
      assert.strictEqual(reason._tag, "InvalidCommand")
      assert.strictEqual(outcome, "none")
      assert.include(message, "Expected a string")
    }
    assert.deepStrictEqual(yield* cluster.read(journal), [])
  })
)

clusterTest(
  "a follower far behind is sent no more than it may have in flight",
  { size: 3, config: { maxInflightEntries: 8, maxAppendBytes: 100 } },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const slow = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* cluster.disk.hang(cluster.identityOf(slow))
      yield* cluster.advance("20 millis")
      const held = cluster.state(slow).log.lastIndex
      for (let i = 0; i < 50; i++) yield* cluster.propose(`${i}`, leader)
      assert.isAtMost(cluster.state(slow).log.lastIndex - held, 8)
      yield* cluster.disk.release(cluster.identityOf(slow))
      yield* cluster.until(
        "it catches up",
        () => cluster.applied(slow).length === cluster.applied(leader).length
      )
    })
)
