/**
 * Snapshots in whole clusters: who is behind gets one, in bounded pieces and without slowing anybody down,
 * whoever dies meanwhile; nobody who waits is forgotten; and nothing newer is lost to an older one.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import * as Term from "../../src/Term.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"
import * as Ghost from "./Ghost.ts"

/** A snapshot every five entries, and nothing before it. */
const often = { snapshotEveryEntries: 5, snapshotTrailingEntries: 0 }

const elect = (cluster: JournalCluster) =>
  Effect.map(cluster.awaitLeader(), (leader) => ({
    leader,
    followers: cluster.nodeIds.filter((nodeId) => nodeId !== leader) as [NodeId, NodeId]
  }))

const proposeMany = (cluster: JournalCluster, count: number, at: NodeId) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* cluster.propose(`command ${i}`, at)
  })

/** What a node's machine holds. */
const journalOf = (cluster: JournalCluster, nodeId: NodeId) =>
  cluster.raft(nodeId).read((journal) => journal, { consistency: "stale" })

const baseOf = (cluster: JournalCluster, nodeId: NodeId) => cluster.state(nodeId).log.base.index

const isCaughtUp = (cluster: JournalCluster, nodeId: NodeId, leader: NodeId) =>
  cluster.appliedIndex(nodeId) === cluster.state(leader).log.lastIndex

/** Waits until `nodeId` has all that `leader` has, and compares what came of it. */
const catchesUp = (cluster: JournalCluster, nodeId: NodeId, leader: NodeId) =>
  Effect.gen(function* () {
    yield* cluster.until(`${nodeId} has caught up`, () => isCaughtUp(cluster, nodeId, leader))
    assert.deepStrictEqual(yield* journalOf(cluster, nodeId), yield* journalOf(cluster, leader))
  })

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
      assert.deepStrictEqual(cluster.applied(alone), [])

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
      for (const nodeId of cluster.nodeIds) yield* cluster.restart(nodeId)
      for (const [position, nodeId] of cluster.nodeIds.entries()) {
        const { log, snapshot } = cluster.state(nodeId)
        assert.deepStrictEqual([log.base, log.lastIndex], [logs[position]!.base, logs[position]!.lastIndex])
        assert.strictEqual(snapshot?.lastIndex, log.base.index)
      }
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
    // An election timeout and a heartbeat until it steps down, two election timeouts until another leads.
    const successor = yield* cluster.awaitLeader({ among: followers, within: "1700 millis" })
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
  "B36 an old snapshot that arrives late removes nothing",
  { size: 3, config: { preVote: false } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, followers } = yield* elect(cluster)
      const [listener, silent] = followers
      yield* proposeMany(cluster, 8, leader)
      yield* cluster.until("it has all", () => cluster.appliedIndex(listener) === 9)
      yield* cluster.kill(silent)
      yield* cluster.kill(leader)
      const { log, commitIndex, currentTerm, membership } = cluster.state(listener)
      const journal = yield* journalOf(cluster, listener)
      const ghost = yield* Ghost.possess(cluster, leader)
      const lastIndex = LogIndex.plus(LogIndex.zero, 4)
      ghost.send(listener, {
        _tag: "InstallSnapshot",
        term: Term.next(currentTerm),
        snapshot: {
          id: "old",
          lastIndex,
          lastTerm: RaftLog.termAt(log, lastIndex)!,
          lastTimestampMillis: 0,
          membership
        },
        sizeBytes: 2,
        offset: 0,
        data: new TextEncoder().encode("[]")
      })
      yield* cluster.advance("20 millis")
      const after = cluster.state(listener)
      assert.deepStrictEqual(
        [after.log.base, after.log.lastIndex, after.commitIndex],
        [log.base, log.lastIndex, commitIndex]
      )
      assert.deepStrictEqual(yield* journalOf(cluster, listener), journal)
      const answers = ghost.heard.flatMap((message) =>
        message._tag === "InstallSnapshotReply" ? [Number(message.matchIndex)] : []
      )
      assert.deepStrictEqual(answers, [4])
    })
)

/** One big state, sent in many pieces over a network that takes its time. */
const big = {
  config: { snapshotEveryEntries: 20, snapshotTrailingEntries: 0, snapshotPieceBytes: 1000 },
  network: {
    ...LinkFaults.reliable,
    requestDelayMillis: [5, 5],
    replyDelayMillis: [5, 5],
    inOrder: true
  } satisfies LinkFaults.LinkSettings
}

/** A follower misses so much that only a snapshot of `kilobytes` can help it; it is down. */
const leaveBehind = (cluster: JournalCluster, kilobytes: number) =>
  Effect.gen(function* () {
    const { leader, followers } = yield* elect(cluster)
    const [behind, other] = followers
    yield* cluster.kill(behind)
    for (let i = 0; i < 20; i++) yield* cluster.propose("x".repeat(kilobytes * 50), leader)
    yield* cluster.until("the leader has compacted its log", () => baseOf(cluster, leader) >= 20)
    cluster.network.resetTraffic()
    return { leader, behind, other }
  })

const installBytes = (cluster: JournalCluster) => cluster.network.traffic({ tag: "InstallSnapshot" }).bytes

for (const { fate, most } of [
  { fate: "Kept", most: 1.2 },
  { fate: "Lost", most: 1.8 }
] as const) {
  const what = fate === "Kept" ? "goes on where it was" : "begins anew when its part is lost"
  clusterTest(
    `B38 a follower dies half-way through a snapshot and ${what}; others are not slowed`,
    { size: 3, ...big },
    (cluster) =>
      Effect.gen(function* () {
        const kilobytes = 200
        const { leader, behind, other } = yield* leaveBehind(cluster, kilobytes)
        yield* cluster.start(behind)
        yield* cluster.until("half of it is sent", () => installBytes(cluster) > kilobytes * 500)
        assert.isBelow(cluster.appliedIndex(behind), 5)
        yield* cluster.kill(behind, fate)

        // Sending to the dead goes on in bounded portions, and the others commit as fast as before.
        const wasSent = installBytes(cluster)
        for (let i = 0; i < 5; i++) {
          yield* cluster.drive(cluster.raft(leader).propose(`meanwhile ${i}`), { within: "30 millis" })
        }
        yield* cluster.advance("2 seconds")
        assert.deepStrictEqual(cluster.leaders(), [leader])
        assert.isAtLeast(cluster.appliedIndex(other), 26)
        assert.isBelow(installBytes(cluster) - wasSent, 6 * 4 * 1300)

        yield* cluster.start(behind)
        yield* catchesUp(cluster, behind, leader)
        assert.isBelow(installBytes(cluster), most * kilobytes * 1000 + 40 * 1300)
      })
  )
}

{
  /** For each moment: how far the leader has sent, and how far it was told that the follower is. */
  const flow = {
    sentTo: 0,
    wanted: 0,
    mostUnderWay: 0,
    pieces: 0,
    largestPiece: 0,
    /** How many have reached each node. */
    heartbeats: new Map<NodeId, number>()
  }

  clusterTest(
    "B41 many megabytes go over in bounded pieces, few at a time; B40 heartbeats flow, and nobody campaigns",
    {
      size: 3,
      network: big.network,
      config: {
        snapshotEveryEntries: 40,
        snapshotAtLeastBytes: 64 * 1024 * 1024,
        snapshotTrailingEntries: 0,
        snapshotPieceBytes: 64 * 1024
      },
      trace: false,
      observe: (nodeId) => ({
        onSend: (_to, message) => {
          if (message._tag !== "InstallSnapshot") return
          flow.pieces += 1
          flow.largestPiece = Math.max(flow.largestPiece, message.data.byteLength)
          flow.sentTo = Math.max(flow.sentTo, message.offset + message.data.byteLength)
          flow.mostUnderWay = Math.max(flow.mostUnderWay, flow.sentTo - flow.wanted)
        },
        onEvent: (event) => {
          if (event._tag !== "Received") return
          const { message } = event
          if (message._tag === "InstallSnapshotReply") flow.wanted = Math.max(flow.wanted, message.offset)
          if (message._tag === "AppendEntries")
            flow.heartbeats.set(nodeId, (flow.heartbeats.get(nodeId) ?? 0) + 1)
        }
      })
    },
    (cluster) =>
      Effect.gen(function* () {
        const { leader, followers } = yield* elect(cluster)
        const [behind] = followers
        yield* cluster.kill(behind)
        for (let i = 0; i < 40; i++) yield* cluster.propose("x".repeat(800_000), leader)
        yield* cluster.until("the leader has compacted its log", () => baseOf(cluster, leader) >= 40)
        const { currentTerm } = cluster.state(leader)
        yield* cluster.start(behind)

        yield* cluster.advance("100 millis")
        while (!isCaughtUp(cluster, behind, leader)) {
          const before = flow.heartbeats.get(behind) ?? 0
          yield* cluster.advance("250 millis")
          assert.isAtLeast((flow.heartbeats.get(behind) ?? 0) - before, 2)
          assert.strictEqual(cluster.state(behind).role._tag, "Follower")
        }
        // The first of the forty entries is the leader's no-op.
        const sizeBytes = 39 * 800_000
        assert.isAtLeast(flow.pieces, sizeBytes / (64 * 1024))
        assert.isAtMost(flow.pieces, (1.1 * sizeBytes) / (64 * 1024))
        assert.strictEqual(flow.largestPiece, 64 * 1024)
        assert.isAtMost(flow.mostUnderWay, 4 * 64 * 1024)
        assert.strictEqual(cluster.state(behind).currentTerm, currentTerm)
        assert.deepStrictEqual(cluster.leaders(), [leader])
        assert.strictEqual((yield* journalOf(cluster, behind)).length, 40)
      })
  )
}

{
  const sent = new Set<string>()

  clusterTest(
    "B40 a snapshot that is outdated by a newer one while it is sent does no harm, and is the only one that is sent",
    {
      size: 3,
      ...big,
      observe: () => ({
        onSend: (_to, message) => {
          if (message._tag === "InstallSnapshot") sent.add(message.snapshot.id)
        }
      })
    },
    (cluster) =>
      Effect.gen(function* () {
        const { leader, behind } = yield* leaveBehind(cluster, 300)
        yield* cluster.start(behind)
        yield* cluster.until("some of it is sent", () => installBytes(cluster) > 30_000)
        const first = cluster.state(leader).snapshot!.lastIndex
        yield* proposeMany(cluster, 25, leader)
        yield* cluster.until("there is a newer one", () => cluster.state(leader).snapshot!.lastIndex > first)
        assert.isBelow(cluster.appliedIndex(behind), first)
        yield* catchesUp(cluster, behind, leader)
        assert.strictEqual(sent.size, 1)
        // Nobody needs it any more: the next one takes all that was kept.
        yield* proposeMany(cluster, 45, leader)
        yield* cluster.until("the log is short again", () => baseOf(cluster, leader) > first + 20)
        assert.deepStrictEqual(cluster.leaders(), [leader])
      })
  )
}

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
