/**
 * Durable before visible (paper, section 5: "servers respond to RPCs only after updating stable storage"),
 * and what goes on while a disk hangs.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as LogEntry from "../../src/LogEntry.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { Fate } from "../../src/testing/FaultyDisk.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"
import * as Ghost from "./Ghost.ts"

const hang = (cluster: JournalCluster, ...nodeIds: ReadonlyArray<NodeId>) =>
  Effect.forEach(nodeIds, (nodeId) => cluster.disk.hang(cluster.identityOf(nodeId)), { discard: true })

const release = (cluster: JournalCluster, ...nodeIds: ReadonlyArray<NodeId>) =>
  Effect.forEach(nodeIds, (nodeId) => cluster.disk.release(cluster.identityOf(nodeId)), { discard: true })

const durableIndex = (cluster: JournalCluster, nodeId: NodeId) =>
  Effect.map(cluster.disk.durable(cluster.identityOf(nodeId)), ({ blocks }) => {
    const last = blocks[blocks.length - 1]
    return last === undefined ? LogIndex.zero : LogEntry.lastIndex(last)
  })

const elect = (cluster: JournalCluster) =>
  Effect.map(cluster.awaitLeader(), (leader) => ({
    leader,
    followers: cluster.nodeIds.filter((nodeId) => nodeId !== leader) as [NodeId, NodeId]
  }))

for (const fate of ["Lost", "Kept"] satisfies ReadonlyArray<Fate>) {
  clusterTest(
    `B13 a voter crashes between granting a vote and its fsync, the write being ${fate}`,
    { size: 3, startDown: true },
    (cluster) =>
      Effect.gen(function* () {
        const [candidate, voter, other] = cluster.nodeIds as [NodeId, NodeId, NodeId]
        yield* hang(cluster, voter)
        yield* cluster.start(candidate)
        yield* cluster.advance("600 millis")
        yield* cluster.start(voter)
        yield* cluster.until("the vote is decided", () => cluster.state(voter).votedFor === candidate)
        const { currentTerm } = cluster.state(voter)

        yield* cluster.advance("300 millis")
        assert.strictEqual(cluster.network.traffic({ from: voter, tag: "RequestVoteReply" }).messages, 0)
        assert.notStrictEqual(cluster.state(candidate).role._tag, "Leader")

        yield* cluster.kill(candidate)
        yield* cluster.kill(voter, fate)
        yield* release(cluster, voter)
        yield* cluster.start(voter)
        const ghost = yield* Ghost.possess(cluster, other)
        ghost.send(voter, {
          _tag: "RequestVote",
          term: currentTerm,
          lastLogIndex: LogIndex.plus(LogIndex.zero, 9),
          lastLogTerm: currentTerm,
          leadershipTransfer: false
        })
        yield* cluster.advance("10 millis")
        // A vote that nobody heard of, and that is gone, may be given anew; one that is on disk may not.
        const replies = ghost.heard.filter((message) => message._tag === "RequestVoteReply")
        assert.deepStrictEqual(replies, [
          { _tag: "RequestVoteReply", term: currentTerm, granted: fate === "Lost" }
        ])
      })
  )
}

clusterTest(
  "B13 a candidate asks nobody before its own vote is durable",
  { size: 3, startDown: true },
  (cluster) =>
    Effect.gen(function* () {
      const [candidate, voter] = cluster.nodeIds as [NodeId, NodeId]
      yield* hang(cluster, candidate)
      yield* cluster.start(candidate)
      yield* cluster.advance("600 millis")
      yield* cluster.start(voter)
      yield* cluster.until("it stands", () => cluster.state(candidate).role._tag === "Candidate")
      yield* cluster.advance("200 millis")
      assert.strictEqual(cluster.network.traffic({ tag: "RequestVote" }).messages, 0)
      yield* release(cluster, candidate)
      yield* cluster.awaitLeader()
    })
)

clusterTest("B14 one node: no success before the entry is durable", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    const only = yield* cluster.awaitLeader()
    yield* hang(cluster, only)
    const call = yield* Effect.forkChild(cluster.raft(only).propose("x"), { startImmediately: true })
    yield* cluster.advance("3 seconds")
    assert.isUndefined(call.pollUnsafe())
    assert.deepStrictEqual(
      cluster.applied(only).filter((entry) => entry.kind === "Command"),
      []
    )
    yield* release(cluster, only)
    assert.strictEqual(yield* cluster.drive(Fiber.join(call)), 0)
    assert.strictEqual(yield* durableIndex(cluster, only), cluster.state(only).log.lastIndex)
  })
)

for (const leaderHangs of [true, false]) {
  const whose = leaderHangs ? "the leader's disk and a follower's" : "both followers' disks"
  clusterTest(`B14 three nodes: no success while ${whose} hang`, { size: 3 }, (cluster) =>
    Effect.gen(function* () {
      const { leader, followers } = yield* elect(cluster)
      yield* cluster.propose("before", leader)
      const [first, second] = leaderHangs ? [leader, followers[0]] : followers
      yield* hang(cluster, first, second)
      const call = yield* Effect.forkChild(cluster.raft(leader).propose("x"), { startImmediately: true })
      yield* cluster.advance("400 millis")
      assert.isUndefined(call.pollUnsafe())

      yield* release(cluster, second)
      assert.strictEqual(yield* cluster.drive(Fiber.join(call), { within: "50 millis" }), 1)
      const durable = yield* Effect.forEach(cluster.nodeIds, (nodeId) => durableIndex(cluster, nodeId))
      const { lastIndex } = cluster.state(leader).log
      assert.strictEqual(durable.filter((index) => index === lastIndex).length, 2)
      yield* release(cluster, first)
    })
  )
}

clusterTest(
  "the leader's own write runs beside replication: two durable followers commit",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, followers } = yield* elect(cluster)
      yield* hang(cluster, leader)
      const call = cluster.raft(leader).propose("x")
      assert.strictEqual(yield* cluster.drive(call, { within: "50 millis" }), 0)
      assert.isBelow(yield* durableIndex(cluster, leader), cluster.state(leader).log.lastIndex)

      // The leader's copy is lost; the command is not.
      yield* cluster.kill(leader, "Lost")
      yield* cluster.awaitLeader({ among: followers })
      assert.deepStrictEqual(yield* cluster.read((journal) => journal, followers[0]), ["x"])
    })
)

clusterTest("heartbeats are answered while a follower's disk hangs", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, followers } = yield* elect(cluster)
    const { currentTerm } = cluster.state(leader)
    const [slow, quick] = followers
    yield* hang(cluster, slow)
    yield* cluster.propose("x", leader)
    yield* cluster.kill(quick)
    // Only the slow one is left to tell the leader that it is not alone.
    yield* cluster.advance("3 seconds")
    assert.deepStrictEqual(cluster.leaders(), [leader])
    assert.strictEqual(cluster.state(slow).currentTerm, currentTerm)
    assert.strictEqual(cluster.state(slow).role._tag, "Follower")

    const call = yield* Effect.forkChild(cluster.raft(leader).propose("y"), { startImmediately: true })
    yield* cluster.advance("100 millis")
    assert.isUndefined(call.pollUnsafe())
    yield* release(cluster, slow)
    assert.strictEqual(yield* cluster.drive(Fiber.join(call), { within: "200 millis" }), 1)
  })
)

clusterTest("heartbeats flow while the leader's disk hangs", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader } = yield* elect(cluster)
    yield* hang(cluster, leader)
    yield* Effect.forkChild(cluster.raft(leader).propose("x"), { startImmediately: true })
    yield* cluster.advance("20 millis")
    cluster.network.resetTraffic()
    yield* cluster.advance("400 millis")
    assert.isAtLeast(cluster.network.traffic({ from: leader, tag: "AppendEntries" }).messages, 8)
    assert.deepStrictEqual(cluster.leaders(), [leader])
    yield* release(cluster, leader)
  })
)

clusterTest("a follower whose disk failed leaves, and the others go on", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, followers } = yield* elect(cluster)
    yield* cluster.disk.failNextWrite(cluster.identityOf(followers[0]))
    yield* cluster.propose("x", leader)
    const failure = yield* cluster.drive(Effect.flip(cluster.raft(followers[0]).failure))
    assert.strictEqual(failure.reason._tag, "StorageFailure")
    assert.strictEqual(yield* cluster.propose("y", leader), 1)

    // On a disk that works again it catches up.
    yield* cluster.restart(followers[0])
    yield* cluster.until("it catches up", () => cluster.applied(followers[0]).length === 3)
  })
)
