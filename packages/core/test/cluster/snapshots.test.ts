/**
 * A node's own snapshots, in whole clusters: what they cover is there after a restart, a disk that fails or hangs
 * stops no one else, and nobody who waits is forgotten when a snapshot takes the place of the log.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as LogIndex from "../../src/LogIndex.ts"
import { clusterTest } from "./ClusterTest.ts"
import { often, elect, proposeMany, journalOf, baseOf, isCaughtUp, catchesUp } from "./SnapshotKit.ts"

clusterTest(
  "B19 a single node that restarts serves what was committed, without a new write",
  { size: 1 },
  (cluster) =>
    Effect.gen(function* () {
      const { leader } = yield* elect(cluster)
      yield* proposeMany(cluster, 3, leader)
      yield* cluster.kill(leader)
      yield* cluster.start(leader)
      yield* cluster.until("all is applied again", () => cluster.appliedIndex(leader) >= 4)
      assert.strictEqual((yield* journalOf(cluster, leader)).length, 3)
    })
)

clusterTest(
  "B19 what its snapshot covers it serves at once, though nobody leads",
  { size: 3, config: often, startDown: true },
  (cluster) =>
    Effect.gen(function* () {
      for (const nodeId of cluster.nodeIds) yield* cluster.start(nodeId)
      const { leader, followers } = yield* elect(cluster)
      yield* proposeMany(cluster, 12, leader)
      yield* cluster.until("all have a snapshot", () =>
        cluster.nodeIds.every((nodeId) => baseOf(cluster, nodeId) >= 10)
      )
      for (const nodeId of cluster.nodeIds) yield* cluster.kill(nodeId)
      const [alone] = followers
      yield* cluster.start(alone)
      yield* cluster.advance("50 millis")
      assert.isAtLeast(cluster.appliedIndex(alone), 10)
      assert.isAtLeast((yield* journalOf(cluster, alone)).length, 9)
      const covered = cluster.state(alone).snapshot!.lastIndex
      assert.isTrue(cluster.applied(alone).every(({ index }) => index > covered))

      // With a majority all the rest is there too, and what is proposed next comes after it.
      yield* cluster.start(leader)
      assert.strictEqual(yield* cluster.propose("next"), 12)
    })
)

clusterTest(
  "a log and a snapshot are there after everybody restarts, as they were",
  { size: 3, config: often },
  (cluster) =>
    Effect.gen(function* () {
      const { leader } = yield* elect(cluster)
      yield* proposeMany(cluster, 13, leader)
      yield* cluster.advance("1 second")
      const before = yield* journalOf(cluster, leader)
      const logs = cluster.nodeIds.map((nodeId) => cluster.state(nodeId).log)
      // Else the first two elect a leader, which adds to its log, before the third one is there.
      for (const nodeId of cluster.nodeIds) cluster.network.isolate(nodeId)
      for (const nodeId of cluster.nodeIds) yield* cluster.restart(nodeId)
      for (const [position, nodeId] of cluster.nodeIds.entries()) {
        const { log, snapshot } = cluster.state(nodeId)
        assert.deepStrictEqual([log.base, log.lastIndex], [logs[position]!.base, logs[position]!.lastIndex])
        assert.strictEqual(snapshot?.lastIndex, log.base.index)
      }
      cluster.network.heal()
      yield* cluster.propose("after")
      for (const nodeId of cluster.nodeIds) {
        yield* catchesUp(cluster, nodeId, yield* cluster.awaitLeader())
        assert.deepStrictEqual(yield* journalOf(cluster, nodeId), [...before, "after"])
      }
    })
)

clusterTest(
  "committed commands from an index that only a snapshot covers: Compacted",
  { size: 1, config: often },
  (cluster) =>
    Effect.gen(function* () {
      const { leader } = yield* elect(cluster)
      yield* proposeMany(cluster, 12, leader)
      yield* cluster.until("it has compacted its log", () => baseOf(cluster, leader) >= 10)
      const held = baseOf(cluster, leader)
      const from = (index: number) =>
        cluster.raft(leader).committed({ from: LogIndex.plus(LogIndex.zero, index) })

      const error = yield* cluster.drive(Effect.flip(Stream.runHead(from(3))))
      const { reason } = error
      assert.strictEqual(reason._tag, "Compacted")
      if (reason._tag === "Compacted")
        assert.deepStrictEqual([Number(reason.requested), Number(reason.firstHeld)], [3, held + 1])
      yield* cluster.propose("next", leader)
      const [first] = yield* cluster.drive(Stream.runCollect(Stream.take(from(held + 1), 1)))
      assert.strictEqual(first?.index, held + 1)
    })
)

clusterTest(
  "B20 a snapshot that cannot be written stops the node, which says so; after a restart it goes on",
  { size: 3, config: often },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, followers } = yield* elect(cluster)
      const [full] = followers
      yield* proposeMany(cluster, 3, leader)
      yield* cluster.until("it has caught up", () => isCaughtUp(cluster, full, leader))
      const failing = yield* Effect.forkChild(Effect.flip(cluster.raft(full).failure))
      yield* cluster.disk.failNextWrite(cluster.identityOf(full))
      yield* proposeMany(cluster, 12, leader)
      const { reason } = yield* cluster.drive(Fiber.join(failing))
      assert.strictEqual(reason._tag, "StorageFailure")
      const call = yield* Effect.flip(cluster.propose("too late", full))
      assert.strictEqual(call._tag === "RaftError" && call.reason._tag, "StorageFailure")

      yield* cluster.restart(full)
      yield* catchesUp(cluster, full, leader)
      assert.strictEqual((yield* journalOf(cluster, full)).length, 15)
    })
)

clusterTest("B26 a leader whose disk hangs is replaced, and its clients go on", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, followers } = yield* elect(cluster)
    yield* cluster.propose("before", leader)
    yield* cluster.disk.hang(cluster.identityOf(leader))
    const call = yield* Effect.forkChild(Effect.exit(cluster.raft(leader).propose("stuck")), {
      startImmediately: true
    })
    // An election timeout and a heartbeat until it steps down, and says who is to lead.
    const successor = yield* cluster.awaitLeader({ among: followers, within: "610 millis" })
    yield* cluster.propose("after", successor)
    assert.isDefined(call.pollUnsafe())
    assert.notStrictEqual(cluster.state(leader).role._tag, "Leader")
    assert.strictEqual(cluster.state(successor).role._tag, "Leader")

    yield* cluster.disk.release(cluster.identityOf(leader))
    yield* cluster.advance("1 second")
    yield* catchesUp(cluster, leader, yield* cluster.awaitLeader())
  })
)

clusterTest(
  "B50 a read at a follower that needs a snapshot is answered when it has it",
  { size: 3, config: often },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, followers } = yield* elect(cluster)
      const [behind] = followers
      yield* cluster.kill(behind)
      yield* proposeMany(cluster, 12, leader)
      yield* cluster.start(behind)
      const seen = yield* cluster.read((journal) => journal.length, behind)
      assert.strictEqual(seen, 12)
      assert.isAtLeast(baseOf(cluster, behind), 10)
    })
)

clusterTest(
  "B50 a command that was passed on before its node got a snapshot is answered all the same",
  { size: 3, config: { ...often, requestTimeoutMillis: 2000 } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, followers } = yield* elect(cluster)
      const [behind] = followers
      yield* cluster.until("it knows its leader", () => isCaughtUp(cluster, behind, leader))
      cluster.network.cut({ from: leader, to: behind })
      const call = yield* Effect.forkChild(Effect.exit(cluster.raft(behind).propose("passed on")), {
        startImmediately: true
      })
      yield* cluster.until("it is in the log", () => cluster.appliedIndex(leader) === 2)
      yield* proposeMany(cluster, 12, leader)
      cluster.network.heal()
      yield* cluster.until("a snapshot stands for it", () => baseOf(cluster, behind) >= 10)
      yield* cluster.until("the call has ended", () => call.pollUnsafe() !== undefined, {
        within: "2 seconds"
      })
      // It was applied once, whatever its caller was told.
      const journal = yield* journalOf(cluster, leader)
      assert.strictEqual(journal.filter((command) => command === "passed on").length, 1)
    })
)

clusterTest(
  "B50 what a deposed leader had taken ends, though its log gives way to a snapshot",
  { size: 3, notifyLost: false, config: { ...often, checkQuorum: false } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader: old, followers } = yield* elect(cluster)
      yield* cluster.propose("before", old)
      cluster.network.isolate(old)
      const calls = yield* Effect.forEach(["a", "b", "c"], (command) =>
        Effect.forkChild(Effect.flip(cluster.raft(old).propose(command)), { startImmediately: true })
      )
      const reading = yield* Effect.forkChild(
        Effect.exit(cluster.raft(old).read((journal) => journal.length)),
        {
          startImmediately: true
        }
      )
      const leader = yield* cluster.awaitLeader({ among: followers })
      yield* proposeMany(cluster, 12, leader)
      assert.isUndefined(calls[0]!.pollUnsafe())

      cluster.network.rejoin(old)
      for (const call of calls) {
        const error = yield* cluster.drive(Fiber.join(call))
        assert.strictEqual(error.reason._tag, "OutcomeUnknown")
      }
      yield* cluster.drive(Fiber.join(reading))
      yield* catchesUp(cluster, old, leader)
      assert.isAtLeast(baseOf(cluster, old), 10)
    })
)
