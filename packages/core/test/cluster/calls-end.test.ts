/**
 * Every waiting call ends, whatever ends it (B50): with its value, or with a reason that says whether the
 * command may have taken effect. Callers that go away leave nothing behind.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as LogIndex from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftError } from "../../src/RaftError.ts"
import * as StateMachine from "../../src/StateMachine.ts"
import type { Term } from "../../src/Term.ts"
import { clusterTest, clusterTestOf } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const firstIndex = LogIndex.plus(LogIndex.zero, 1)

/** How a call ended: a reason's tag, or "value". */
const ending = <A>(call: Effect.Effect<A, RaftError>): Effect.Effect<string> =>
  Effect.match(call, { onFailure: (error) => error.reason._tag, onSuccess: () => "value" })

type Calls = Readonly<Record<"propose" | "read" | "committed" | "changes" | "leader", Fiber.Fiber<string>>>

/** One waiting call of each kind. */
const callsAt = (cluster: JournalCluster, nodeId: NodeId) =>
  Effect.gen(function* () {
    const raft = cluster.raft(nodeId)
    const start = <A>(call: Effect.Effect<A, RaftError>) =>
      Effect.forkChild(ending(call), { startImmediately: true })
    return {
      propose: yield* start(raft.propose("waiting")),
      read: yield* start(raft.read((journal) => journal.length)),
      committed: yield* start(Stream.runDrain(raft.committed({ from: firstIndex }))),
      changes: yield* start(Stream.runDrain(raft.changes)),
      leader: yield* start(Stream.runDrain(raft.leader))
    } satisfies Calls
  })

const endings = (calls: Calls): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(calls).map(([name, fiber]) => {
      const exit = fiber.pollUnsafe()
      return [name, exit === undefined ? "waits" : exit._tag === "Success" ? exit.value : "died"]
    })
  )

/** A leader that nobody hears any more: what is asked of it has to wait. */
const lonelyLeader = (cluster: JournalCluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    yield* cluster.propose("before", leader)
    cluster.network.isolate(leader)
    return leader
  })

clusterTest("B50 shutdown answers every call, without time passing", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* lonelyLeader(cluster)
    const calls = yield* callsAt(cluster, leader)
    yield* cluster.advance("10 millis")
    assert.deepStrictEqual(new Set(Object.values(endings(calls))), new Set(["waits"]))
    yield* cluster.stop(leader)
    yield* cluster.advance("1 millis")
    assert.deepStrictEqual(endings(calls), {
      propose: "OutcomeUnknown",
      read: "ShuttingDown",
      committed: "ShuttingDown",
      changes: "value",
      leader: "value"
    })
  })
)

clusterTest("B50 a crash answers every call, without time passing", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* lonelyLeader(cluster)
    const calls = yield* callsAt(cluster, leader)
    yield* cluster.advance("10 millis")
    yield* cluster.kill(leader)
    yield* cluster.advance("1 millis")
    assert.deepStrictEqual(endings(calls), {
      propose: "OutcomeUnknown",
      read: "ShuttingDown",
      committed: "ShuttingDown",
      changes: "value",
      leader: "value"
    })
  })
)

clusterTest("B50 a failed disk answers every call, and says so", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* lonelyLeader(cluster)
    yield* cluster.disk.failNextWrite(cluster.identityOf(leader))
    const calls = yield* callsAt(cluster, leader)
    yield* cluster.advance("1 millis")
    assert.deepStrictEqual(endings(calls), {
      // It stood in the log, and may even be on the disk.
      propose: "OutcomeUnknown",
      read: "StorageFailure",
      committed: "StorageFailure",
      changes: "value",
      leader: "value"
    })
    const raft = cluster.raft(leader)
    assert.strictEqual(yield* ending(raft.failure), "StorageFailure")
    for (const call of [raft.propose("late"), raft.submit("late"), raft.read((journal) => journal.length)]) {
      assert.strictEqual(yield* ending(Effect.asVoid<unknown, RaftError, never>(call)), "StorageFailure")
    }
  })
)

clusterTest(
  "B50 a leader that steps down answers proposals, and reads look for the new leader",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* lonelyLeader(cluster)
      const calls = yield* callsAt(cluster, leader)
      yield* cluster.advance("700 millis")
      assert.deepStrictEqual(endings(calls), {
        propose: "OutcomeUnknown",
        read: "waits",
        committed: "waits",
        changes: "waits",
        leader: "waits"
      })
      cluster.network.rejoin(leader)
      yield* cluster.awaitLeader()
      yield* cluster.advance("200 millis")
      assert.strictEqual(endings(calls)["read"], "value")
    })
)

clusterTest(
  "B50 a command whose place another leader's no-op has taken is answered",
  { size: 3, config: { checkQuorum: false } },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* lonelyLeader(cluster)
      const call = yield* Effect.forkChild(ending(cluster.raft(leader).propose("x")), {
        startImmediately: true
      })
      yield* cluster.awaitLeader({ among: cluster.nodeIds.filter((nodeId) => nodeId !== leader) })
      cluster.network.rejoin(leader)
      yield* cluster.awaitLeader()
      yield* cluster.advance("200 millis")
      assert.strictEqual(call.pollUnsafe() && (yield* Fiber.join(call)), "OutcomeUnknown")
    })
)

/** Counts, and blows up at zero. */
class Fuse extends StateMachine.Service<Fuse>()("test/Fuse", {
  command: Schema.Int,
  reply: Schema.Int,
  state: Schema.Int,
  initial: 3,
  apply: (length, by) => {
    if (length === by) throw new Error("it blew up")
    return { state: length - by, reply: length - by }
  }
}) {}

clusterTestOf(Fuse)("B50 a machine that fails answers every call", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const raft = cluster.raft(leader)
    const calls = yield* Effect.forEach([1, 1, 1, 1], (by) =>
      Effect.forkChild(ending(raft.propose(by)), { startImmediately: true })
    )
    yield* cluster.until("all calls end", () => calls.every((call) => call.pollUnsafe() !== undefined), {
      within: "50 millis"
    })
    // The first two were applied; the third made the machine fail, with the fourth behind it.
    assert.deepStrictEqual(yield* Fiber.joinAll(calls), [
      "value",
      "value",
      "OutcomeUnknown",
      "OutcomeUnknown"
    ])
    assert.strictEqual(yield* ending(raft.failure), "MachineFailure")
    assert.strictEqual(yield* ending(raft.propose(1)), "MachineFailure")
  })
)

clusterTest(
  "B50 a broken rule answers every call, also those of the turn in which it broke",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const forger = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* cluster.stop(forger)
      const { clusterId, groupId } = cluster.identityOf(forger)
      const endpoint = yield* cluster.network.transport.open({
        clusterId,
        groupId,
        nodeId: forger,
        peers: new Map([[leader, "memory:"]]),
        handler: { onMessage: () => {}, onPeerLost: () => {} }
      })

      const calls = yield* callsAt(cluster, leader)
      // A second leader of the same term.
      endpoint.send(leader, {
        _tag: "AppendEntries",
        term: cluster.state(leader).currentTerm,
        prevLogIndex: LogIndex.zero,
        prevLogTerm: 0 as Term,
        blocks: [],
        leaderCommit: LogIndex.zero,
        round: 0
      })
      yield* cluster.advance("1 millis")
      assert.include(["InvariantBroken", "OutcomeUnknown"], endings(calls)["propose"])
      assert.deepInclude(endings(calls), {
        read: "InvariantBroken",
        committed: "InvariantBroken",
        changes: "value",
        leader: "value"
      })
    })
)

clusterTest("B50 a forwarded proposal ends with the node that waits for it", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const follower = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
    cluster.network.cut({ from: leader, to: follower })
    const call = yield* Effect.forkChild(ending(cluster.raft(follower).propose("x")), {
      startImmediately: true
    })
    yield* cluster.advance("10 millis")
    assert.isUndefined(call.pollUnsafe())
    yield* cluster.stop(follower)
    assert.strictEqual(yield* Fiber.join(call), "OutcomeUnknown")
  })
)

clusterTest("B50 a call that waits for a leader ends with its node", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const nodeId = cluster.nodeIds[0]!
    const raft = cluster.raft(nodeId)
    const calls = yield* Effect.forEach([raft.propose("x"), raft.read((journal) => journal.length)], (call) =>
      Effect.forkChild(ending(call), { startImmediately: true })
    )
    yield* cluster.stop(nodeId)
    assert.deepStrictEqual(yield* Fiber.joinAll(calls), ["ShuttingDown", "ShuttingDown"])
  })
)

clusterTest("a caller that leaves before its turn takes the command with it", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const call = yield* Effect.forkChild(cluster.raft(leader).propose("never"), { startImmediately: true })
    yield* Fiber.interrupt(call)
    yield* cluster.propose("x", leader)
    assert.deepStrictEqual(yield* cluster.read((journal) => journal), ["x"])
  })
)

clusterTest(
  "a caller that leaves later leaves the command, and disturbs nobody else's answer",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      for (const nodeId of cluster.nodeIds) yield* cluster.disk.hang(cluster.identityOf(nodeId))
      const [first, second] = yield* Effect.forEach(["first", "second"], (command) =>
        Effect.forkChild(cluster.raft(leader).propose(command), { startImmediately: true })
      ) as Effect.Effect<[Fiber.Fiber<number, RaftError>, Fiber.Fiber<number, RaftError>]>
      yield* cluster.advance("10 millis")
      yield* Fiber.interrupt(first)
      for (const nodeId of cluster.nodeIds) yield* cluster.disk.release(cluster.identityOf(nodeId))
      assert.strictEqual(yield* cluster.drive(Fiber.join(second)), 1)
      assert.deepStrictEqual(yield* cluster.read((journal) => journal), ["first", "second"])
    })
)

clusterTest(
  "a reader that left is not asked for any longer than the request timeout",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const follower = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* cluster.propose("x", follower)
      // The follower hears the leader, but its questions do not arrive.
      cluster.network.cut({ from: follower, to: leader })
      const read = yield* Effect.forkChild(
        cluster.raft(follower).read((journal) => journal.length),
        {
          startImmediately: true
        }
      )
      yield* cluster.advance("50 millis")
      const waiting = () => {
        const { role } = cluster.state(follower)
        return role._tag === "Follower" ? role.reads.length : 0
      }
      assert.strictEqual(waiting(), 1)
      yield* Fiber.interrupt(read)
      yield* cluster.advance("3100 millis")
      assert.strictEqual(waiting(), 0)
    })
)
