/**
 * Snapshots on their way to a follower: in bounded pieces and without slowing anybody down, whoever dies
 * meanwhile; and nothing newer is lost to an older one.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import * as Term from "../../src/Term.ts"
import * as StateMachine from "../../src/StateMachine.ts"
import { clusterTest, clusterTestOf } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"
import * as Ghost from "./Ghost.ts"
import { elect, proposeMany, journalOf, baseOf, isCaughtUp, catchesUp, often } from "./SnapshotKit.ts"

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

        // Hardly anything goes to the dead, and the others commit as fast as before.
        const wasSent = installBytes(cluster)
        for (let i = 0; i < 5; i++) {
          yield* cluster.drive(cluster.raft(leader).propose(`meanwhile ${i}`), { within: "30 millis" })
        }
        yield* cluster.advance("2 seconds")
        assert.deepStrictEqual(cluster.leaders(), [leader])
        assert.isAtLeast(cluster.appliedIndex(other), 26)
        assert.isBelow(installBytes(cluster) - wasSent, 20 * 1300)

        yield* cluster.start(behind)
        yield* catchesUp(cluster, behind, leader)
        assert.isBelow(installBytes(cluster), most * kilobytes * 1000 + 40 * 1300)
      })
  )
}

for (const awayMillis of [1100, 1200, 1300, 1400, 1500]) {
  let pieces = 0

  clusterTest(
    `a follower that was away is sent one piece meanwhile, and at its first sign of life all; after ${awayMillis} ms`,
    {
      size: 3,
      ...big,
      startDown: true,
      observe: () => ({
        onSend: (_to, { _tag }) => {
          if (_tag === "InstallSnapshot") pieces += 1
        }
      })
    },
    (cluster) =>
      Effect.gen(function* () {
        const [one, other, behind] = cluster.nodeIds as [NodeId, NodeId, NodeId]
        for (const nodeId of [one, other]) yield* cluster.start(nodeId)
        const leader = yield* cluster.awaitLeader()
        for (let i = 0; i < 20; i++) yield* cluster.propose("x".repeat(500), leader)
        yield* cluster.until("it is missed", () => pieces > 0)
        yield* cluster.advance(`${awayMillis} millis`)
        assert.strictEqual(pieces, 1)
        yield* cluster.start(behind)
        const { heartbeatIntervalMillis } = cluster.state(leader).config
        yield* cluster.advance(`${heartbeatIntervalMillis + 80} millis`)
        assert.isTrue(isCaughtUp(cluster, behind, leader))
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
        assert.isAtMost(flow.mostUnderWay, 16 * 64 * 1024)
        assert.strictEqual(cluster.state(behind).currentTerm, currentTerm)
        assert.deepStrictEqual(cluster.leaders(), [leader])
        assert.strictEqual((yield* journalOf(cluster, behind)).length, 40)
      })
  )
}

/** A machine that has nothing to remember. */
class Echo extends StateMachine.ServiceOf<Echo>()("test/Echo", {
  command: Schema.String,
  reply: Schema.String,
  make: () => ({
    apply: (command) => command,
    view: () => undefined,
    snapshot: () => [],
    restore: () => StateMachine.restoration(() => {})
  })
}) {}

clusterTestOf(Echo)(
  "a snapshot without a byte is sent like any other",
  { size: 3, config: often, network: { ...LinkFaults.reliable, requestLoss: 0.3 } },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const behind = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* cluster.kill(behind)
      for (let i = 0; i < 8; i++) yield* cluster.propose(`${i}`, yield* cluster.awaitLeader())
      yield* cluster.start(behind)
      yield* cluster.until("it has caught up", () => cluster.appliedIndex(behind) >= 8)
    })
)

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
        const { leader, behind } = yield* leaveBehind(cluster, 1500)
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

{
  const sent = new Set<string>()

  clusterTest(
    "a follower that comes after a newer one was taken is not sent the snapshot of when it was first missed",
    {
      size: 3,
      ...big,
      startDown: true,
      observe: () => ({
        onSend: (to, message) => {
          if (message._tag === "InstallSnapshot") sent.add(`${to} ${message.snapshot.lastIndex}`)
        }
      })
    },
    (cluster) =>
      Effect.gen(function* () {
        const [one, other, behind] = cluster.nodeIds as [NodeId, NodeId, NodeId]
        for (const nodeId of [one, other]) yield* cluster.start(nodeId)
        const leader = yield* cluster.awaitLeader()
        yield* proposeMany(cluster, 30, leader)
        yield* cluster.until("it is missed", () => sent.size > 0)
        const first = cluster.state(leader).snapshot!.lastIndex
        yield* proposeMany(cluster, 30, leader)
        yield* cluster.until("the log begins later", () => baseOf(cluster, leader) > first)
        yield* cluster.advance("1 second")
        sent.clear()
        yield* cluster.start(behind)
        yield* catchesUp(cluster, behind, leader)
        assert.deepStrictEqual([...sent], [`${behind} ${cluster.state(leader).snapshot!.lastIndex}`])
      })
  )
}
