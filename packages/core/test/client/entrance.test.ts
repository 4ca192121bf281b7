/**
 * The node's side of the door: bounds, what a client that leaves takes with it, and answers to what cannot be.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ClientAnswer, ClientRequest } from "../../src/ClientMessage.ts"
import { leaderOf } from "../../src/consensus/NodeState.ts"
import type { NodeId } from "../../src/NodeId.ts"
import * as ClientServer from "../../src/ClientServer.ts"
import { LogIndex } from "../../src/LogIndex.ts"
import * as SessionRecord from "../../src/sessions/SessionRecord.ts"
import { Term } from "../../src/Term.ts"
import { addressOf, clientTest } from "./ClientTest.ts"
import type { TallyCluster } from "./ClientTest.ts"
import { Tally } from "./Tally.ts"

const visit = (cluster: TallyCluster, nodeId: NodeId) => {
  const answers: Array<ClientAnswer> = []
  const { take, end } = (({ entrance }) => {
    const visit = entrance.admit({ answer: (answer) => void answers.push(answer) })
    return { take: (requests: ReadonlyArray<ClientRequest>) => visit.take(requests), end: () => visit.end() }
  })(cluster.raft(nodeId))
  return { answers, take, end }
}

const command = Tally.machine.command.encode("x")
const count = Tally.machine.queries!.query.encode({ _tag: "Count" })

const propose = (id: number): ClientRequest => ({ _tag: "Propose", id, command })
const query = (id: number): ClientRequest => ({
  _tag: "Query",
  id,
  consistency: "linearizable",
  query: count
})

const sessionCommand = (command: Uint8Array) =>
  SessionRecord.encode({
    _tag: "Command",
    session: { index: LogIndex.make(1), term: Term.make(1) },
    sequence: 1,
    acknowledgedBelow: 1,
    command
  })

const tagsOf = (answers: ReadonlyArray<ClientAnswer>) =>
  answers.map((answer) => [answer.id, answer._tag === "Failed" ? answer.reason._tag : "Done"])

clientTest(
  "one client may have so many requests unanswered, and the next is refused at once",
  { size: 3, config: { maxClientRequests: 4 } },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const { answers, take } = visit(cluster, leader)
      take([propose(1), query(2), propose(3), query(4), propose(5), query(6)])
      assert.deepStrictEqual(tagsOf(answers), [
        [5, "Overloaded"],
        [6, "Overloaded"]
      ])
      yield* cluster.until("the four are answered", () => answers.length === 6)
      take([query(7)])
      yield* cluster.until("there is room again", () => answers.length === 7)
      assert.deepStrictEqual(tagsOf(answers.slice(6)), [[7, "Done"]])
    })
)

clientTest(
  "a client that leaves takes its reads along, and is told nothing any more",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      cluster.network.isolate(leader)
      const { answers, end, take } = visit(cluster, leader)
      take([query(1), propose(2), query(3)])
      yield* cluster.advance(20)
      assert.strictEqual((yield* cluster.raft(leader).waiting).reads, 1, "a batch of queries is one read")
      end()
      assert.strictEqual((yield* cluster.raft(leader).waiting).reads, 0)
      yield* cluster.advance(3000)
      assert.deepStrictEqual(yield* cluster.raft(leader).waiting, { proposals: 0, reads: 0, forwarded: 0 })
      assert.deepStrictEqual(answers, [])
    })
)

clientTest(
  "a client that leaves while nobody leads is forgotten, and told nothing when somebody does",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      yield* cluster.awaitLeader()
      for (const nodeId of cluster.nodeIds) cluster.network.isolate(nodeId)
      yield* cluster.until("nobody leads", () =>
        cluster.nodeIds.every((nodeId) => leaderOf(cluster.state(nodeId)) === null)
      )
      const visits = cluster.nodeIds.map((nodeId) => visit(cluster, nodeId))
      for (const { take } of visits) take([query(1), propose(2), query(3)])
      yield* cluster.advance(10)
      for (const { end } of visits) end()
      cluster.network.heal()
      yield* cluster.advance("2 seconds")
      const next = yield* cluster.awaitLeader()
      assert.deepStrictEqual(
        visits.map(({ answers }) => answers),
        [[], [], []]
      )
      assert.strictEqual(yield* cluster.propose("the first that is written", next), 1)
    })
)

clientTest("what a machine cannot read is answered as such, and changes nothing", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const { answers, take } = visit(cluster, leader)
    const nonsense = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
    take([
      { _tag: "Query", id: 1, consistency: "stale", query: nonsense },
      { _tag: "Query", id: 2, consistency: "linearizable", query: nonsense },
      { _tag: "Propose", id: 3, command: new Uint8Array(2 * 1024 * 1024) },
      { _tag: "Propose", id: 4, command: nonsense },
      { _tag: "Session", id: 5, record: sessionCommand(nonsense) }
    ])
    yield* cluster.until("all are answered", () => answers.length === 5)
    assert.sameDeepMembers(tagsOf(answers), [
      [1, "InvalidQuery"],
      [2, "InvalidQuery"],
      [3, "CommandTooLarge"],
      [4, "InvalidCommand"],
      [5, "InvalidCommand"]
    ])
    assert.strictEqual(yield* cluster.propose("the node is well", leader), 1)
  })
)

clientTest(
  "a follower says where the leader is, to who comes and to who asks",
  { size: 3 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const follower = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      const leaderAt = ClientServer.addressOf(cluster.raft(follower).attributesOf(leader))
      assert.isDefined(leaderAt)
      assert.strictEqual(cluster.raft(follower).entrance.welcome().leaderAt, leaderAt)
      assert.isNull(cluster.raft(leader).entrance.welcome().leaderAt)
      const { answers, take } = visit(cluster, follower)
      take([propose(1)])
      yield* cluster.until("it is answered", () => answers.length === 1)
      const [answer] = answers
      assert.isTrue(answer?._tag === "Failed" && answer.reason._tag === "NotLeader")
      assert.strictEqual(answer?._tag === "Failed" ? answer.leaderAt : null, leaderAt)
      assert.strictEqual(doors.hall.connections(), 0)
    })
)

const awaitLeader = (otherThan: NodeId): ClientRequest => ({ _tag: "AwaitLeader", id: 7, otherThan })
const placesIn = (answers: ReadonlyArray<ClientAnswer>) =>
  answers.map((answer) =>
    answer._tag === "Done" ? new TextDecoder().decode(answer.bytes) : answer.reason._tag
  )

clientTest("who doubts a node that does not lead hears at once who does", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [one, other] = cluster.nodeIds.filter((nodeId) => nodeId !== leader) as [NodeId, NodeId]
    yield* cluster.until("all know the leader", () => leaderOf(cluster.state(one)) === leader)
    const atFollower = visit(cluster, one)
    const atLeader = visit(cluster, leader)
    atFollower.take([awaitLeader(other)])
    atLeader.take([awaitLeader(other)])
    assert.deepStrictEqual(
      [placesIn(atFollower.answers), placesIn(atLeader.answers)],
      [[addressOf(leader)], [""]]
    )
  })
)

clientTest(
  "who doubts the leader hears of the next one as soon as the node does",
  { size: 3 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const others = cluster.nodeIds.filter((nodeId) => nodeId !== leader)
      const visits = others.map((nodeId) => visit(cluster, nodeId))
      const left = visit(cluster, others[0]!)
      for (const { take } of [...visits, left]) take([awaitLeader(leader)])
      yield* cluster.advance("2 seconds")
      assert.deepStrictEqual(
        visits.map(({ answers }) => answers),
        [[], []]
      )
      left.end()
      yield* doors.kill(leader)
      for (const [at, nodeId] of others.entries()) {
        yield* cluster.until(`${nodeId} has answered`, () => visits[at]!.answers.length === 1)
      }
      const next = yield* cluster.awaitLeader()
      assert.deepStrictEqual(
        visits.map(({ answers }) => placesIn(answers)),
        others.map((nodeId) => [nodeId === next ? "" : addressOf(next)])
      )
      assert.deepStrictEqual(left.answers, [])
    })
)

clientTest(
  "a follower that missed a write answers a query that came after it only when it has it",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const follower = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* cluster.propose("all have this", leader)
      yield* cluster.advance(200)
      cluster.network.isolate(follower)
      yield* cluster.propose("the follower has not heard of this", leader)
      cluster.network.heal()
      const { answers, take } = visit(cluster, follower)
      take([query(1)])
      yield* cluster.until("it is answered", () => answers.length === 1)
      const [answer] = answers
      assert.strictEqual(
        answer?._tag === "Done" ? Tally.machine.queries!.answer.decode(answer.bytes) : answer,
        2
      )
    })
)
