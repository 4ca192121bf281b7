/**
 * Sessions on whole clusters (B46, thesis 6.3): what is sent again is applied once, by every leader there may
 * be meanwhile, and a session that has expired says so.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import { because, NotLeader } from "../../src/RaftError.ts"
import type { RaftError } from "../../src/RaftError.ts"
import * as Session from "../../src/Session.ts"
import * as SessionRecord from "../../src/sessions/SessionRecord.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const journal = (all: ReadonlyArray<string>) => all

const elect = (cluster: JournalCluster) =>
  Effect.map(cluster.awaitLeader(), (leader) => {
    const followers = cluster.nodeIds.filter((nodeId) => nodeId !== leader)
    return { leader, follower: followers[0]!, other: followers[1]! }
  })

const opened = (cluster: JournalCluster, at: NodeId) => cluster.drive(cluster.raft(at).sessions.open)

/** Without what is under way, everybody has applied everything. */
const settled = (cluster: JournalCluster) =>
  Effect.andThen(
    cluster.advance("1 second"),
    Effect.sync(() => {
      const logs = cluster.nodeIds.map((nodeId) => cluster.appliedIndex(nodeId))
      assert.strictEqual(new Set(logs).size, 1, "some node is behind")
    })
  )

clusterTest("B46: a command whose answer was lost is sent again, and applied once", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, follower } = yield* elect(cluster)
    const { session } = yield* opened(cluster, follower)
    const request = { session, sequence: 1, acknowledgedBelow: 1, command: "once" }
    cluster.network.configureLink({ from: leader, to: follower }, { replyLoss: 1 })
    const lost = yield* cluster.drive(Effect.flip(cluster.raft(follower).sessions.propose(request)))
    assert.strictEqual(lost.reason._tag, "OutcomeUnknown")
    cluster.network.heal()
    const first = yield* cluster.drive(cluster.raft(leader).sessions.propose(request))
    assert.strictEqual(first.reply, 0)
    // And again, elsewhere, under another leader: the same answer, from the same place in the log.
    yield* cluster.kill(leader)
    const next = yield* cluster.awaitLeader()
    for (const nodeId of [next, follower]) {
      assert.deepStrictEqual(yield* cluster.drive(cluster.raft(nodeId).sessions.propose(request)), first)
    }
    assert.deepStrictEqual(yield* cluster.read(journal, next), ["once"])
  })
)

clusterTest(
  "B46: a session handle tries again by itself, whoever dies",
  { size: 3, config: { requestTimeoutMillis: 300 } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, follower } = yield* elect(cluster)
      const scope = yield* Scope.make()
      const session = yield* cluster.drive(
        Scope.provide(Session.open(cluster.raft(follower).sessions), scope)
      )
      cluster.network.configureLink({ from: leader, to: follower }, { replyLoss: 1 })
      const call = yield* Effect.forkChild(session.propose("a"), { startImmediately: true })
      yield* cluster.advance("700 millis")
      assert.isUndefined(call.pollUnsafe(), "its answers are lost")
      yield* cluster.kill(leader)
      cluster.network.heal()
      assert.strictEqual(yield* cluster.drive(Fiber.join(call)), 0)
      assert.strictEqual(yield* cluster.drive(session.propose("b")), 1)
      assert.deepStrictEqual(yield* cluster.read(journal, follower), ["a", "b"])
      yield* cluster.drive(Scope.close(scope, Exit.void))
      const { id } = session
      const again = cluster.raft(follower).sessions.keepAlive({ session: id, acknowledgedBelow: 3 })
      const error = yield* cluster.drive(Effect.flip(again))
      assert.strictEqual(error.reason._tag, "SessionExpired", "closed with its Scope")
    })
)

clusterTest(
  "B46: a session that was idle for its timeout has expired, and says so",
  { size: 3, config: { sessionTimeoutMillis: 2_000 } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, follower } = yield* elect(cluster)
      const { session, limits } = yield* opened(cluster, follower)
      assert.strictEqual(limits.timeoutMillis, 2_000)
      const propose = (sequence: number, command: string) =>
        cluster.raft(follower).sessions.propose({ session, sequence, acknowledgedBelow: sequence, command })
      yield* cluster.advance("1900 millis")
      yield* cluster.drive(propose(1, "in time"))
      yield* cluster.advance("1900 millis")
      yield* cluster.drive(cluster.raft(leader).sessions.keepAlive({ session, acknowledgedBelow: 2 }))
      yield* cluster.advance("2100 millis")
      const error = yield* cluster.drive(Effect.flip(propose(2, "too late")))
      assert.deepInclude(error.reason, { _tag: "SessionExpired", session })
      assert.strictEqual(error.outcome, "none")
      assert.deepStrictEqual(yield* cluster.read(journal), ["in time"])
    })
)

clusterTest(
  "a handle keeps its session alive, and no longer than it lives",
  { size: 3, config: { sessionTimeoutMillis: 2_000 } },
  (cluster) =>
    Effect.gen(function* () {
      const { follower } = yield* elect(cluster)
      const session = yield* cluster.drive(Session.open(cluster.raft(follower).sessions))
      yield* cluster.advance("10 seconds")
      assert.strictEqual(yield* cluster.drive(session.propose("still here")), 0)
      // Nobody hears it any more, while the log goes on without it.
      cluster.network.isolate(follower)
      const leader = yield* cluster.awaitLeader({ among: cluster.nodeIds.filter((id) => id !== follower) })
      yield* cluster.advance("4 seconds")
      yield* cluster.drive(cluster.raft(leader).propose("time passes"))
      cluster.network.heal()
      const error = yield* cluster.drive(Effect.flip(session.expired), { within: "20 seconds" })
      assert.strictEqual(error.reason._tag, "SessionExpired")
      assert.strictEqual((yield* Effect.flip(session.propose("x"))).reason._tag, "SessionExpired")
    })
)

clusterTest(
  "a proposer opens a session with the first command, and goes on in another when that has expired",
  { size: 3, config: { sessionTimeoutMillis: 2_000 } },
  (cluster) =>
    Effect.gen(function* () {
      const { follower } = yield* elect(cluster)
      const opened = () =>
        cluster.applied(follower).filter((entry) => {
          return entry.kind === "Session" && SessionRecord.decode(entry.payload)._tag === "Open"
        }).length
      const propose = yield* Session.proposer(cluster.raft(follower).sessions)
      assert.strictEqual(opened(), 0)
      yield* cluster.drive(Effect.all([propose("first"), propose("second")], { concurrency: "unbounded" }))
      assert.strictEqual(opened(), 1)
      cluster.network.isolate(follower)
      const leader = yield* cluster.awaitLeader({ among: cluster.nodeIds.filter((id) => id !== follower) })
      yield* cluster.advance("4 seconds")
      yield* cluster.drive(cluster.raft(leader).propose("time passes"))
      cluster.network.heal()
      yield* cluster.drive(propose("third"), { within: "20 seconds" })
      assert.strictEqual(opened(), 2)
      assert.deepStrictEqual([...(yield* cluster.read(journal))].sort(), [
        "first",
        "second",
        "third",
        "time passes"
      ])
      // Nobody uses it for a minute: it is given back.
      yield* cluster.advance("70 seconds")
      const last = SessionRecord.decode(cluster.applied(follower).at(-1)!.payload)
      assert.strictEqual(last._tag, "Close")
    })
)

clusterTest(
  "sessions survive a restart of everybody, from the log and from snapshots",
  { size: 3, config: { snapshotEveryEntries: 4, snapshotTrailingEntries: 0 } },
  (cluster) =>
    Effect.gen(function* () {
      const { follower } = yield* elect(cluster)
      const { session } = yield* opened(cluster, follower)
      const request = { session, sequence: 1, acknowledgedBelow: 1, command: "kept" }
      const propose = (nodeId: NodeId) => cluster.drive(cluster.raft(nodeId).sessions.propose(request))
      const first = yield* propose(follower)
      for (let i = 0; i < 10; i++) yield* cluster.propose(`filler ${i}`)
      yield* settled(cluster)
      for (const nodeId of cluster.nodeIds) {
        assert.isAbove(cluster.state(nodeId).snapshot?.sessionBytes ?? 0, 0)
        yield* cluster.kill(nodeId)
      }
      yield* Effect.forEach(cluster.nodeIds, cluster.start)
      const leader = yield* cluster.awaitLeader()
      for (const nodeId of cluster.nodeIds) assert.deepStrictEqual(yield* propose(nodeId), first)
      assert.strictEqual((yield* cluster.read(journal, leader)).length, 11)
    })
)

clusterTest(
  "a node that is sent a snapshot has its sessions too",
  { size: 3, config: { snapshotEveryEntries: 4, snapshotTrailingEntries: 0, snapshotPieceBytes: 7 } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, follower, other } = yield* elect(cluster)
      const { session } = yield* opened(cluster, leader)
      cluster.network.isolate(follower)
      const request = { session, sequence: 1, acknowledgedBelow: 1, command: "kept" }
      const first = yield* cluster.drive(cluster.raft(leader).sessions.propose(request))
      for (let i = 0; i < 10; i++) yield* cluster.propose(`filler ${i}`, leader)
      cluster.network.heal()
      yield* settled(cluster)
      assert.isEmpty(
        cluster.applied(follower).filter((entry) => entry.kind === "Session" && entry.index > first.index),
        "it has them from a snapshot"
      )
      // Only it and an empty vote are left: it must know the session by itself.
      yield* cluster.kill(leader)
      yield* cluster.awaitLeader()
      assert.deepStrictEqual(yield* cluster.drive(cluster.raft(follower).sessions.propose(request)), first)
      assert.deepStrictEqual(yield* cluster.drive(cluster.raft(other).sessions.propose(request)), first)
    })
)

clusterTest(
  "past maxSessions an opening is refused, until a session has expired",
  { size: 3, config: { sessionTimeoutMillis: 2_000, maxSessions: 2 } },
  (cluster) =>
    Effect.gen(function* () {
      const { follower } = yield* elect(cluster)
      const { session } = yield* opened(cluster, follower)
      yield* opened(cluster, follower)
      const error = yield* cluster.drive(Effect.flip(cluster.raft(follower).sessions.open))
      assert.deepInclude(error.reason, { _tag: "Overloaded", bound: "maxSessions", limit: 2 })
      assert.strictEqual(error.outcome, "none")
      yield* cluster.drive(cluster.raft(follower).sessions.close(session))
      yield* opened(cluster, follower)
      yield* cluster.advance("3 seconds")
      yield* opened(cluster, follower)
      yield* opened(cluster, follower)
    })
)

clusterTest("committed shows commands of sessions, with their numbers", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader } = yield* elect(cluster)
    const { session } = yield* opened(cluster, leader)
    const request = { session, sequence: 7, acknowledgedBelow: 7, command: "s" }
    yield* cluster.propose("p", leader)
    for (let i = 0; i < 2; i++) yield* cluster.drive(cluster.raft(leader).sessions.propose(request))
    const seen = yield* cluster.drive(
      cluster.raft(leader).committed({ from: LogIndex.zero }).pipe(Stream.take(3), Stream.runCollect)
    )
    assert.deepStrictEqual(
      seen.map(({ command, session: by }) => [command, by?.sequence]),
      [
        ["p", undefined],
        ["s", 7],
        ["s", 7]
      ]
    )
  })
)

clusterTest(
  "A32: many clients, an unreliable network and leaders that die: every append once, in its client's order",
  {
    size: 5,
    network: LinkFaults.unreliable,
    config: { requestTimeoutMillis: 500, snapshotEveryEntries: 20, snapshotTrailingEntries: 5 }
  },
  (cluster) =>
    Effect.gen(function* () {
      yield* elect(cluster)
      const appends = 20
      const client = (name: number) =>
        Effect.gen(function* () {
          // Each try goes to another node.
          let turn = name
          const somewhere = () => cluster.raft(cluster.nodeIds[(turn += 1) % 5]!).sessions
          const session = yield* Session.open<string, number>({
            open: Effect.suspend(() => somewhere().open),
            propose: (request) => Effect.suspend(() => downIsNoLeader(somewhere().propose(request))),
            keepAlive: (request) => Effect.suspend(() => downIsNoLeader(somewhere().keepAlive(request))),
            close: (id) => Effect.suspend(() => somewhere().close(id))
          })
          for (let i = 0; i < appends; i++) yield* session.propose(`${name}.${i}`)
        }).pipe(Effect.scoped)
      const clients = yield* Effect.forkChild(
        Effect.forEach([0, 1, 2, 3], client, { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      for (let kill = 0; kill < 4; kill++) {
        const leader = yield* cluster.awaitLeader()
        yield* cluster.advance("700 millis")
        yield* cluster.kill(leader)
        yield* cluster.advance("300 millis")
        yield* cluster.start(leader)
      }
      yield* cluster.drive(Fiber.join(clients), { within: "2 minutes" })
      const log = yield* cluster.read(journal)
      assert.strictEqual(log.length, 4 * appends)
      for (let name = 0; name < 4; name++) {
        assert.deepStrictEqual(
          log.filter((text) => text.startsWith(`${name}.`)),
          Array.from({ length: appends }, (_, i) => `${name}.${i}`)
        )
      }
    })
)

/** A client that knows many nodes goes on to the next where one is down. */
const downIsNoLeader = <A>(call: Effect.Effect<A, RaftError>): Effect.Effect<A, RaftError> =>
  Effect.mapError(call, (error) =>
    error.reason._tag === "ShuttingDown" ? because(new NotLeader({ leader: null })) : error
  )
