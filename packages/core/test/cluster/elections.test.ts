/**
 * Elections when the network plays foul: nodes that come back with great claims, links that work one way.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { MemoryNetwork } from "../../src/testing/MemoryNetwork.ts"
import * as TermModule from "../../src/Term.ts"
import type { Term } from "../../src/Term.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"
import * as Ghost from "./Ghost.ts"

const othersThan = (cluster: JournalCluster, node: NodeId) =>
  cluster.nodeIds.filter((nodeId) => nodeId !== node) as [NodeId, NodeId]

const terms = (cluster: JournalCluster) => cluster.nodeIds.map((nodeId) => cluster.state(nodeId).currentTerm)

/** Writes go on, one each second, under one leader in one term. */
const staysCalm = (cluster: JournalCluster, leader: NodeId, seconds: number) =>
  Effect.gen(function* () {
    const { currentTerm } = cluster.state(leader)
    for (let second = 0; second < seconds; second++) {
      yield* cluster.propose(`second ${second}`, leader)
      yield* cluster.advance("1 second")
    }
    assert.strictEqual(cluster.leaders()[0], leader)
    assert.strictEqual(cluster.state(leader).currentTerm, currentTerm)
  })

clusterTest("B21 a node back from a long partition disturbs nobody", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [away] = othersThan(cluster, leader)
    const before = terms(cluster)
    cluster.network.isolate(away)
    yield* staysCalm(cluster, leader, 10)
    cluster.network.rejoin(away)
    yield* staysCalm(cluster, leader, 3)
    assert.deepStrictEqual(terms(cluster), before)
    assert.strictEqual(cluster.applied(away).length, cluster.applied(leader).length)
  })
)

clusterTest("B21 a huge term does not depose a healthy leader", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [gone, follower] = othersThan(cluster, leader)
    const before = terms(cluster)
    yield* cluster.stop(gone)
    const ghost = yield* Ghost.possess(cluster, gone)
    const last = { lastLogIndex: LogIndex.plus(LogIndex.zero, 1e6), lastLogTerm: 999_999 as Term }
    for (const to of [leader, follower]) {
      ghost.send(to, { _tag: "PreVote", term: 1_000_000 as Term, ...last })
      ghost.send(to, { _tag: "RequestVote", term: 1_000_000 as Term, ...last, leadershipTransfer: false })
    }
    yield* staysCalm(cluster, leader, 2)
    assert.deepStrictEqual(terms(cluster), before)
    assert.deepStrictEqual(
      ghost.heard.filter(
        (message) => message._tag.endsWith("VoteReply") && "granted" in message && message.granted
      ),
      []
    )
  })
)

clusterTest(
  "B21 a node that has a huge term gets in again, and does not wedge the others",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const [away] = othersThan(cluster, leader)
      yield* cluster.propose("before", leader)
      yield* cluster.stop(away)
      // As a node without PreVote might have left it behind.
      yield* Effect.scoped(
        Effect.flatMap(cluster.disk.storage.open(cluster.identityOf(away)), (store) =>
          store.write({ hardState: { currentTerm: 1000 as Term, votedFor: null }, blocks: [] })
        )
      )
      yield* cluster.start(away)
      yield* cluster.advance("5 seconds")
      const now = yield* cluster.awaitLeader({ within: "1 second" })
      assert.strictEqual(yield* cluster.propose("after", now), 1)
      yield* cluster.until("it catches up", () =>
        cluster.nodeIds.every((nodeId) => cluster.applied(nodeId).length === cluster.applied(now).length)
      )
      assert.strictEqual(new Set(terms(cluster)).size, 1)
    })
)

clusterTest("B22 a pre-vote changes neither term nor vote, and writes nothing", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [alone] = othersThan(cluster, leader)
    const identity = cluster.identityOf(alone)
    const { currentTerm, votedFor } = cluster.state(alone)
    const writes = yield* cluster.disk.acknowledgedWrites(identity)
    cluster.network.isolate(alone)
    yield* cluster.until("it asks", () => cluster.state(alone).role._tag === "PreCandidate")
    yield* cluster.advance("10 seconds")
    assert.strictEqual(cluster.state(alone).role._tag, "PreCandidate")
    assert.strictEqual(cluster.state(alone).currentTerm, currentTerm)
    assert.strictEqual(cluster.state(alone).votedFor, votedFor)
    assert.strictEqual(yield* cluster.disk.acknowledgedWrites(identity), writes)
  })
)

clusterTest("B22 the answer to a pre-vote is no vote", { size: 3, startDown: true }, (cluster) =>
  Effect.gen(function* () {
    const [candidate, other] = cluster.nodeIds as [NodeId, NodeId]
    yield* cluster.start(candidate)
    const ghost = yield* Ghost.possess(cluster, other)
    const agree = () => {
      const { currentTerm } = cluster.state(candidate)
      for (const requestedTerm of [currentTerm, TermModule.next(currentTerm)]) {
        ghost.send(candidate, { _tag: "PreVoteReply", term: currentTerm, requestedTerm, granted: true })
      }
    }
    yield* cluster.until("it stands", () => {
      agree()
      return cluster.state(candidate).role._tag === "Candidate"
    })
    for (let i = 0; i < 20; i++) {
      agree()
      yield* cluster.advance("10 millis")
    }
    assert.notStrictEqual(cluster.state(candidate).role._tag, "Leader")
  })
)

const oneWayLinks: ReadonlyArray<{
  readonly what: string
  readonly cut: (network: MemoryNetwork, node: NodeId, others: ReadonlyArray<NodeId>) => void
}> = [
  {
    what: "can send and cannot receive",
    cut: (network, node, others) => others.forEach((other) => network.cut({ from: other, to: node }))
  },
  {
    what: "can receive and cannot send",
    cut: (network, node, others) => others.forEach((other) => network.cut({ from: node, to: other }))
  },
  {
    what: "is heard by one only",
    cut: (network, node, [first]) => network.cut({ from: node, to: first! })
  },
  {
    what: "hears one only",
    cut: (network, node, [first]) => network.cut({ from: first!, to: node })
  }
]

for (const { what, cut } of oneWayLinks) {
  for (const whose of ["leader", "follower"]) {
    clusterTest(`B24 a ${whose} that ${what}: no livelock, no growing terms`, { size: 3 }, (cluster) =>
      Effect.gen(function* () {
        const first = yield* cluster.awaitLeader()
        const lame = whose === "leader" ? first : othersThan(cluster, first)[0]
        cut(cluster.network, lame, othersThan(cluster, lame))
        yield* cluster.advance("5 seconds")

        // Whoever leads by now, leads for good.
        const leader = yield* cluster.awaitLeader({ within: "1 second" })
        const settled = Math.max(...terms(cluster))
        assert.isAtMost(settled, cluster.state(leader).currentTerm)
        assert.isAtMost(settled, 4)
        yield* staysCalm(cluster, leader, 10)
        assert.isAtMost(Math.max(...terms(cluster)), settled)

        cluster.network.heal()
        yield* cluster.until("all catch up", () =>
          cluster.nodeIds.every((nodeId) => cluster.applied(nodeId).length === cluster.applied(leader).length)
        )
      })
    )
  }
}

for (const preVote of [true, false]) {
  for (let round = 1; round <= 5; round++) {
    clusterTest(
      `B25 a stale candidate${preVote ? "" : " at a higher term"} does not block the up-to-date one (preVote: ${preVote}, ${round})`,
      { size: 3, config: { preVote } },
      (cluster) =>
        Effect.gen(function* () {
          const leader = yield* cluster.awaitLeader()
          const [stale, upToDate] = othersThan(cluster, leader)
          cluster.network.isolate(stale)
          yield* cluster.advance("10 seconds")
          const { currentTerm } = cluster.state(leader)
          assert.strictEqual(cluster.state(stale).currentTerm > currentTerm, !preVote)
          yield* cluster.propose("x", leader)
          yield* cluster.until("it is everywhere else", () => cluster.applied(upToDate).length === 2)
          yield* cluster.kill(leader)
          cluster.network.rejoin(stale)
          yield* cluster.awaitLeader({ among: [upToDate], within: "4 seconds" })
          assert.strictEqual(yield* cluster.propose("y", upToDate), 1)
        })
    )
  }
}

clusterTest("B27 clients of a leader alone in a partition hear soon", { size: 5 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    cluster.network.isolate(leader)
    // An election timeout (500 ms) without a quorum, found out at the next heartbeat (100 ms).
    const error = yield* cluster.drive(Effect.flip(cluster.raft(leader).propose("x")), {
      within: "605 millis"
    })
    assert.strictEqual(error.reason._tag, "OutcomeUnknown")
    const next = yield* Effect.flip(cluster.raft(leader).submit("y"))
    assert.strictEqual(next.reason._tag, "NotLeader")
  })
)

/** A cluster of five in which a test says who is elected: the one that stands before the others are started. */
const electFirst = (cluster: JournalCluster, first: NodeId, ...others: ReadonlyArray<NodeId>) =>
  Effect.gen(function* () {
    yield* Effect.forEach(cluster.nodeIds, (nodeId) => cluster.kill(nodeId))
    // What is still under way meets nobody.
    yield* cluster.advance("50 millis")
    cluster.network.heal()
    yield* cluster.start(first)
    yield* cluster.until(`${first} stands`, () => cluster.state(first).role._tag === "PreCandidate")
    yield* Effect.forEach(others, cluster.start)
    yield* cluster.until(`${first} leads`, () => cluster.state(first).role._tag === "Leader")
  })

for (const successor of ["n1", "n5"] as const) {
  clusterTest(
    `B01 figure 8: an old term's entry on a majority is not committed by counting (then ${successor} leads)`,
    {
      size: 5,
      startDown: true,
      notifyLost: false,
      // Slow enough to cut a link between two messages; one entry a message.
      network: {
        requestDelayMillis: [20, 20],
        replyDelayMillis: [20, 20],
        requestLoss: 0,
        replyLoss: 0,
        duplication: 0,
        heldRequests: 0,
        heldReplies: 0,
        heldMillis: [0, 0],
        inOrder: true
      },
      config: { maxAppendBytes: 1 }
    },
    (cluster) =>
      Effect.gen(function* () {
        const [s1, s2, s3, s4, s5] = cluster.nodeIds as [NodeId, NodeId, NodeId, NodeId, NodeId]
        const lastIndex = (nodeId: NodeId) => cluster.state(nodeId).log.lastIndex
        const commands = (nodeId: NodeId) =>
          cluster.applied(nodeId).filter((entry) => entry.kind === "Command")

        // (a) S1 leads and gets its entry to S2 only.
        yield* electFirst(cluster, s1, s2, s3, s4, s5)
        yield* cluster.until("the no-op is everywhere", () =>
          cluster.nodeIds.every((nodeId) => cluster.state(nodeId).commitIndex === 1)
        )
        cluster.network.partition([[s1, s2]])
        const { index, term } = yield* cluster.raft(s1).submit("x")
        yield* cluster.until("S2 has it", () => lastIndex(s2) === index)

        // (b) S5 is elected by S3 and S4, and has an entry of its own there that reaches nobody.
        yield* electFirst(cluster, s5, s3, s4)
        cluster.network.isolate(s5)
        assert.strictEqual(lastIndex(s5), index)
        assert.isAbove(cluster.state(s5).log.lastTerm, term)

        // (c) S1 is elected again and brings its old entry to a majority.
        yield* electFirst(cluster, s1, s2, s3)
        const matchIndex = (nodeId: NodeId) => {
          const { role } = cluster.state(s1)
          return role._tag === "Leader" ? role.progress.get(nodeId)?.matchIndex : undefined
        }
        yield* cluster.until("S3 has it too", () => matchIndex(s3) === index)
        assert.isAtLeast(matchIndex(s2) ?? 0, index)
        cluster.network.cut({ from: s1, to: s3 })
        yield* cluster.advance("200 millis")
        for (const nodeId of [s1, s2, s3]) {
          assert.strictEqual(RaftLog.termAt(cluster.state(nodeId).log, index), term)
          assert.isBelow(cluster.state(nodeId).commitIndex, index)
        }

        if (successor === "n5") {
          // (d) S5 wins with S3 and S4, and overwrites it.
          yield* electFirst(cluster, s5, s3, s4)
          yield* cluster.until("S5 commits", () => cluster.state(s3).commitIndex > index)
          assert.deepStrictEqual(commands(s3), [])
        } else {
          // (e) S1's entry of its own term reaches a majority, and commits the old one with it.
          cluster.network.heal()
          yield* cluster.until("S1 commits", () => commands(s3).length === 1)
        }
        yield* Effect.forEach(cluster.nodeIds, (nodeId) =>
          cluster.isUp(nodeId) ? Effect.void : cluster.start(nodeId)
        )
        cluster.network.heal()
        yield* cluster.until("all agree", () =>
          cluster.nodeIds.every(
            (nodeId) =>
              commands(nodeId).length === commands(s3).length && cluster.state(nodeId).commitIndex > index
          )
        )
      })
  )
}
