/**
 * Whole clusters that change their members (paper, section 6; thesis, chapter 4).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Membership from "../../src/Membership.ts"
import type { MembershipChange } from "../../src/MembershipChange.ts"
import { NodeId } from "../../src/NodeId.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"
import { proposeMany } from "./SnapshotKit.ts"

const id = (name: string) => NodeId.make(name)

const add = (nodeId: NodeId): MembershipChange => ({
  _tag: "AddLearner",
  nodeId,
  address: `memory:${nodeId}`
})

/** Has the leader make a change, and lets time pass until it is committed. */
const change = (cluster: JournalCluster, wanted: MembershipChange) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    return yield* cluster.drive(cluster.raft(leader).changeMembership(wanted))
  })

const votersOf = (membership: Membership.Membership) => membership.voters.map((member) => member.id).sort()

/** A learner that the leader has seen catch up. */
const join = (cluster: JournalCluster, nodeId: NodeId) =>
  Effect.gen(function* () {
    yield* change(cluster, add(nodeId))
    yield* caughtUp(cluster, nodeId)
  })

const caughtUp = (cluster: JournalCluster, nodeId: NodeId) =>
  cluster.until(`${nodeId} has caught up`, () => {
    const [leader] = cluster.leaders()
    if (leader === undefined) return false
    const { role, commitIndex } = cluster.state(leader)
    return role._tag === "Leader" && (role.progress.get(nodeId)?.matchIndex ?? 0) >= commitIndex
  })

clusterTest(
  "a cluster grows from 3 to 5 and shrinks to 3, one at a time",
  { size: 3, spares: 2 },
  (cluster) =>
    Effect.gen(function* () {
      yield* cluster.propose("before")
      for (const spare of [id("n4"), id("n5")]) {
        yield* join(cluster, spare)
        yield* change(cluster, { _tag: "Promote", nodeId: spare })
        yield* cluster.propose(`with ${spare}`)
      }
      for (const gone of [id("n1"), id("n2")]) {
        yield* change(cluster, { _tag: "Remove", nodeId: gone })
        yield* cluster.propose(`without ${gone}`, id("n4"))
      }
      const leader = yield* cluster.awaitLeader()
      assert.deepStrictEqual(votersOf(cluster.state(leader).membership), ["n3", "n4", "n5"])
      assert.deepStrictEqual(yield* cluster.read((journal) => journal, id("n5")), [
        "before",
        "with n4",
        "with n5",
        "without n1",
        "without n2"
      ])
    })
)

clusterTest(
  "all three voters are replaced at once, by way of a joint membership",
  { size: 3, spares: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const fresh = [id("n4"), id("n5"), id("n6")]
      yield* cluster.propose("before")
      for (const spare of fresh) yield* join(cluster, spare)
      const after = yield* change(cluster, { _tag: "ReplaceVoters", voters: fresh })
      assert.deepStrictEqual([after._tag, votersOf(after), after.learners], ["Simple", fresh, []])
      yield* cluster.awaitLeader({ among: fresh })
      for (const gone of cluster.nodeIds.slice(0, 3)) yield* cluster.stop(gone)
      yield* cluster.propose("after", id("n5"))
      assert.deepStrictEqual(yield* cluster.read((journal) => journal, id("n6")), ["before", "after"])
    })
)

clusterTest(
  "who joins takes no snapshot of a time at which it does not know the members",
  {
    size: 3,
    spares: 1,
    config: { snapshotEveryEntries: 5, snapshotTrailingEntries: 1_000, maxInflightEntries: 1 }
  },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* proposeMany(cluster, 8, leader)
      // It is sent the whole log, in which the first members do not stand.
      yield* join(cluster, id("n4"))
      yield* proposeMany(cluster, 8, leader)
      yield* cluster.until("it has a snapshot", () => cluster.state(id("n4")).snapshot !== undefined)
      const { snapshot } = cluster.state(id("n4"))
      assert.deepStrictEqual(
        snapshot?.membership.voters.map((voter) => voter.id),
        ["n1", "n2", "n3"]
      )
    })
)

clusterTest("a learner with autoPromote becomes a voter by itself", { size: 3, spares: 1 }, (cluster) =>
  Effect.gen(function* () {
    yield* change(cluster, { ...add(id("n4")), autoPromote: true } as MembershipChange)
    yield* cluster.until("n4 votes", () => Membership.isVoter(cluster.state(id("n4")).membership, id("n4")))
  })
)

clusterTest(
  "a new member far behind catches up by a snapshot",
  {
    size: 3,
    spares: 1,
    config: { snapshotEveryEntries: 5, snapshotTrailingEntries: 0 }
  },
  (cluster) =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i++) yield* cluster.propose(`${i}`)
      yield* join(cluster, id("n4"))
      yield* change(cluster, { _tag: "Promote", nodeId: id("n4") })
      assert.isAbove(cluster.state(id("n4")).snapshot?.lastIndex ?? 0, 0)
      assert.lengthOf(yield* cluster.read((journal) => journal, id("n4")), 20)
    })
)

clusterTest(
  "members and snapshots: the membership outlives the entry that brought it",
  {
    size: 3,
    spares: 1,
    config: { snapshotEveryEntries: 3, snapshotTrailingEntries: 0 }
  },
  (cluster) =>
    Effect.gen(function* () {
      yield* join(cluster, id("n4"))
      yield* change(cluster, { _tag: "Promote", nodeId: id("n4") })
      for (let i = 0; i < 10; i++) yield* cluster.propose(`${i}`)
      for (const nodeId of cluster.nodeIds) yield* cluster.kill(nodeId)
      for (const nodeId of cluster.nodeIds) yield* cluster.start(nodeId)
      yield* cluster.awaitLeader()
      for (const nodeId of cluster.nodeIds) assert.lengthOf(cluster.state(nodeId).membership.voters, 4)
    })
)

clusterTest("B29: a leader that removes itself leaves, and another takes over", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    yield* change(cluster, { _tag: "Remove", nodeId: leader })
    const next = yield* cluster.awaitLeader({ among: cluster.nodeIds.filter((nodeId) => nodeId !== leader) })
    yield* cluster.propose("after", next)
    yield* cluster.advance("5 seconds")
    assert.strictEqual(cluster.state(leader).role._tag, "Follower")
  })
)

clusterTest(
  "B31: a leader dies in the joint configuration, and its successor ends it",
  { size: 3, spares: 2 },
  (cluster) =>
    Effect.gen(function* () {
      const fresh = [id("n4"), id("n5")]
      for (const spare of fresh) yield* join(cluster, spare)
      const leader = yield* cluster.awaitLeader()
      const wanted = [...fresh, ...cluster.nodeIds.slice(0, 3).filter((nodeId) => nodeId !== leader)]
      const asked = yield* Effect.forkChild(
        Effect.result(cluster.raft(leader).changeMembership({ _tag: "ReplaceVoters", voters: wanted })),
        { startImmediately: true }
      )
      // Everybody has the entry, and the leader dies before the answers reach it.
      for (const peer of cluster.nodeIds) cluster.network.cut({ from: peer, to: leader })
      yield* cluster.until("everybody is in the joint membership", () =>
        cluster.nodeIds.every((nodeId) => cluster.state(nodeId).membership._tag === "Joint")
      )
      yield* cluster.kill(leader)
      const outcome = yield* Fiber.join(asked)
      assert.isTrue(Result.isFailure(outcome) && outcome.failure.reason._tag === "OutcomeUnknown")
      yield* cluster.until("the joint membership has ended", () =>
        wanted.every((nodeId) => cluster.state(nodeId).membership._tag === "Simple")
      )
      assert.deepStrictEqual(votersOf(cluster.state(id("n4")).membership), wanted.toSorted())
    })
)

clusterTest(
  "B32: a change that only a cut off leader has is undone when it hears of the next one",
  { size: 3, spares: 1 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* cluster.propose("before", leader)
      cluster.network.isolate(leader)
      const asked = yield* Effect.forkChild(
        Effect.result(cluster.raft(leader).changeMembership(add(id("n4")))),
        {
          startImmediately: true
        }
      )
      yield* cluster.until(
        "it is in force there",
        () => cluster.state(leader).membership.learners.length === 1
      )
      const others = cluster.nodeIds.filter((nodeId) => nodeId !== leader)
      yield* cluster.propose("elsewhere", yield* cluster.awaitLeader({ among: others }))
      cluster.network.heal()
      yield* cluster.until("it is undone", () => cluster.state(leader).membership.learners.length === 0)
      const outcome = yield* Fiber.join(asked)
      assert.isTrue(Result.isFailure(outcome) && outcome.failure.outcome === "unknown")
    })
)

clusterTest("B35: who was removed while it was away disturbs nobody", { size: 4 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const away = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
    cluster.network.isolate(away)
    yield* cluster.advance("1 second")
    yield* change(cluster, { _tag: "Remove", nodeId: away })
    const { currentTerm } = cluster.state(leader)
    cluster.network.heal()
    yield* cluster.advance("10 seconds")
    assert.deepStrictEqual(cluster.leaders(), [leader])
    assert.strictEqual(cluster.state(leader).currentTerm, currentTerm)
  })
)

clusterTest(
  "B35: who was removed while it listened knows it, and campaigns no more",
  {
    size: 3,
    config: { preVote: false, checkQuorum: false }
  },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const removed = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* change(cluster, { _tag: "Remove", nodeId: removed })
      yield* cluster.advance("10 seconds")
      assert.deepStrictEqual(cluster.leaders(), [leader])
      assert.isFalse(Membership.isMember(cluster.state(removed).membership, removed))
      assert.strictEqual(cluster.state(removed).role._tag, "Follower")
    })
)

clusterTest("a change asked anywhere but at the leader names the leader", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const other = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
    const error = yield* Effect.flip(cluster.drive(cluster.raft(other).changeMembership(add(id("n9")))))
    assert.deepInclude(error, { _tag: "RaftError" })
    assert.isTrue(
      error._tag === "RaftError" && error.reason._tag === "NotLeader" && error.reason.leader === leader
    )
  })
)

clusterTest(
  "a change ends also at a leader that nobody hears and that does not know it",
  {
    size: 3,
    config: { checkQuorum: false, requestTimeoutMillis: 1000 }
  },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      cluster.network.isolate(leader)
      const outcome = yield* Effect.flip(
        cluster.drive(cluster.raft(leader).changeMembership(add(id("n9"))), { within: "2 seconds" })
      )
      assert.isTrue(outcome._tag === "RaftError" && outcome.reason._tag === "OutcomeUnknown")
    })
)
