/**
 * What a node tells about itself as time goes by: `committed`, `status`, `changes`, `leader`, `failure`.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import { clusterTest } from "./ClusterTest.ts"

const at = (index: number) => LogIndex.plus(LogIndex.zero, index)

clusterTest(
  "committed: all commands in order, the same on every node, and then as they come",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      for (const command of ["a", "b", "c"]) yield* cluster.propose(command, leader)
      const readers = yield* Effect.forEach(cluster.nodeIds, (nodeId) =>
        cluster
          .raft(nodeId)
          .committed({ from: at(1) })
          .pipe(
            Stream.map(({ command, index }) => `${command}@${index}`),
            Stream.take(5),
            Stream.runCollect,
            Effect.forkChild({ startImmediately: true })
          )
      )
      yield* cluster.advance("200 millis")
      for (const reader of readers) assert.isUndefined(reader.pollUnsafe())
      for (const command of ["d", "e"]) yield* cluster.propose(command, leader)
      // Index 1 is the leader's no-op, which is no command.
      const expected = ["a@2", "b@3", "c@4", "d@5", "e@6"]
      assert.deepStrictEqual(yield* cluster.drive(Fiber.joinAll(readers)), [expected, expected, expected])
    })
)

clusterTest(
  "committed: from an index in the middle, and from one that is still to come",
  { size: 1 },
  (cluster) =>
    Effect.gen(function* () {
      yield* cluster.awaitLeader()
      for (const command of ["a", "b", "c"]) yield* cluster.propose(command)
      const raft = cluster.raft(cluster.nodeIds[0]!)
      const first = (from: number) =>
        raft.committed({ from: at(from) }).pipe(
          Stream.map(({ command }) => command),
          Stream.take(1),
          Stream.runCollect
        )
      assert.deepStrictEqual(yield* cluster.drive(first(3)), ["b"])
      const later = yield* Effect.forkChild(first(6), { startImmediately: true })
      yield* cluster.propose("d")
      yield* cluster.propose("e")
      assert.deepStrictEqual(yield* cluster.drive(Fiber.join(later)), ["e"])
    })
)

clusterTest("committed: long logs come whole", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const commands = Array.from({ length: 2000 }, (_, i) => `${i}`)
    yield* cluster.drive(Effect.forEach(commands, cluster.raft(leader).propose, { concurrency: "unbounded" }))
    const all = cluster
      .raft(leader)
      .committed({ from: at(0) })
      .pipe(
        Stream.map(({ command }) => command),
        Stream.take(2000),
        Stream.runCollect
      )
    assert.deepStrictEqual(yield* cluster.drive(all), commands)
  })
)

clusterTest("status: what the node knows of itself", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    yield* cluster.propose("x", leader)
    yield* cluster.advance("200 millis")
    for (const nodeId of cluster.nodeIds) {
      const status = yield* cluster.raft(nodeId).status
      assert.deepInclude(status, {
        nodeId,
        leader,
        role: nodeId === leader ? "Leader" : "Follower",
        term: cluster.state(leader).currentTerm,
        commitIndex: at(2),
        appliedIndex: at(2),
        lastIndex: at(2)
      })
      assert.deepStrictEqual(
        status.membership.voters.map((voter) => voter.id),
        cluster.nodeIds
      )
    }
  })
)

clusterTest("leader: every change, beginning with the present", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const observer = cluster.nodeIds[0]!
    const seen: Array<NodeId | null> = []
    yield* Effect.forkScoped(
      Stream.runForEach(cluster.raft(observer).leader, (leader) => Effect.sync(() => seen.push(leader))),
      { startImmediately: true }
    )
    const first = yield* cluster.awaitLeader()
    yield* cluster.until("it hears", () => seen.at(-1) === first)
    assert.deepStrictEqual(seen, [null, first])

    const others = cluster.nodeIds.filter((nodeId) => nodeId !== observer)
    if (first === observer) cluster.network.isolate(observer)
    else yield* cluster.kill(first)
    const second = yield* cluster.awaitLeader({ among: first === observer ? others : cluster.nodeIds })
    cluster.network.heal()
    yield* cluster.until("it hears", () => seen.at(-1) === second)
    // Between two leaders there is a time without.
    assert.deepStrictEqual(seen, [null, first, null, second])
  })
)

clusterTest(
  "changes: role, term and leader as they change, and never an old state last",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const raft = cluster.raft(cluster.nodeIds[0]!)
      const seen: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(raft.changes, ({ role, term, leader }) =>
          Effect.sync(() => seen.push(`${role} ${term} ${leader}`))
        ),
        { startImmediately: true }
      )
      yield* cluster.awaitLeader()
      yield* cluster.advance("300 millis")
      assert.strictEqual(seen[0], "Follower 0 null")
      const { role, term, leader } = yield* raft.status
      assert.strictEqual(seen.at(-1), `${role} ${term} ${leader}`)
      assert.strictEqual(new Set(seen).size, seen.length, "the same twice")

      // Proposals are no change of that kind.
      const before = seen.length
      yield* cluster.propose("x")
      assert.strictEqual(seen.length, before)
    })
)

clusterTest("failure: silent while all is well, and after an orderly end", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    const only = yield* cluster.awaitLeader()
    const failure = yield* Effect.forkChild(cluster.raft(only).failure, { startImmediately: true })
    yield* cluster.advance("5 seconds")
    yield* cluster.stop(only)
    yield* cluster.advance("5 seconds")
    assert.isUndefined(failure.pollUnsafe())
    yield* Fiber.interrupt(failure)
  })
)
