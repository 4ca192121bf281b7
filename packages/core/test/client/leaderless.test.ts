/**
 * While nobody leads: requests wait at the node for the next leader, and no longer than an election timeout, so
 * that a client is served again as soon as somebody can.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ClientAnswer, ClientRequest } from "../../src/ClientMessage.ts"
import type { NodeId } from "../../src/NodeId.ts"
import { addressOf, clientTest } from "./ClientTest.ts"
import type { TallyCluster } from "./ClientTest.ts"
import { Tally } from "./Tally.ts"

const propose: ClientRequest = { _tag: "Propose", id: 1, command: Tally.machine.command.encode("x") }
const query: ClientRequest = {
  _tag: "Query",
  id: 2,
  consistency: "linearizable",
  query: Tally.machine.queries!.query.encode({ _tag: "Count" })
}

/** Brings requests to a node, and collects the answers. */
const visit = (cluster: TallyCluster, nodeId: NodeId, requests: ReadonlyArray<ClientRequest>) => {
  const answers: Array<ClientAnswer> = []
  const visit = cluster.raft(nodeId).entrance.admit({ answer: (answer) => void answers.push(answer) })
  visit.take(requests)
  return answers
}

/** The followers, in the order of their names, which is that in which they stand for election. */
const followersOf = (cluster: TallyCluster, leader: NodeId) =>
  cluster.nodeIds.filter((nodeId) => nodeId !== leader) as [NodeId, NodeId]

clientTest("a client is served again as soon as there is a leader", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    for (let count = 1; count <= 5; count++) {
      const leader = yield* cluster.awaitLeader()
      // All of them know three doors, and differ in whom they try first.
      const clients = yield* Effect.forEach([0, 1, 2], (turn) =>
        doors.client({
          endpoints: [...cluster.nodeIds.slice(turn), ...cluster.nodeIds.slice(0, turn)].map(addressOf)
        })
      )
      yield* cluster.drive(Effect.forEach(clients, (client) => client.propose("before"), { discard: true }))
      yield* doors.kill(leader)
      yield* cluster.drive(
        Effect.forEach(clients, (client) => client.propose("after"), { concurrency: 3, discard: true }),
        { within: "10 millis" }
      )
      yield* doors.start(leader)
    }
  })
)

clientTest(
  "a node that was removed keeps nobody waiting: it will not hear who leads next",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const leave = cluster.raft(leader).changeMembership({ _tag: "Remove", nodeId: leader })
      yield* cluster.drive(leave)
      yield* cluster.until("it has let go", () => cluster.state(leader).role._tag === "Follower")
      const answers = visit(cluster, leader, [propose, query])
      yield* cluster.until("both are refused", () => answers.length === 2, { within: "10 millis" })
      assert.deepStrictEqual(
        answers.map((answer) => answer._tag === "Failed" && answer.reason._tag),
        ["NotLeader", "NotLeader"]
      )
    })
)

clientTest(
  "requests that come while nobody leads are carried out by the next leader",
  { size: 3 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const [heir, other] = followersOf(cluster, leader)
      yield* doors.kill(leader)
      const [atHeir, atOther] = [
        visit(cluster, heir, [propose, query]),
        visit(cluster, other, [propose, query])
      ]
      yield* cluster.until("all are answered", () => atHeir.length + atOther.length === 4, {
        within: "100 millis"
      })
      assert.strictEqual(yield* cluster.awaitLeader(), heir)
      assert.sameMembers(
        atHeir.map(({ _tag }) => _tag),
        ["Done", "Done"]
      )
      for (const answer of atOther) {
        // A follower can have its reads confirmed, once it knows by whom.
        if (answer.id === query.id) assert.strictEqual(answer._tag, "Done")
        else assert.strictEqual(answer._tag === "Failed" ? answer.leaderAt : undefined, addressOf(heir))
      }
    })
)

clientTest(
  "they wait for an election timeout, and surely did not happen then",
  { size: 3, config: { electionTimeoutMillis: 200 } },
  (cluster, doors) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const [survivor, other] = followersOf(cluster, leader)
      yield* doors.kill(other)
      yield* doors.kill(leader)
      yield* cluster.advance("50 millis")
      const answers = visit(cluster, survivor, [propose, query])
      yield* cluster.advance("190 millis")
      assert.deepStrictEqual(answers, [])
      yield* cluster.advance("20 millis")
      assert.deepStrictEqual(
        answers.map((answer) => [answer.id, answer._tag === "Failed" && answer.reason._tag]),
        [
          [1, "NotLeader"],
          [2, "NotLeader"]
        ]
      )
    })
)

clientTest("a node that stops sends them away", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [survivor, other] = followersOf(cluster, leader)
    yield* doors.kill(other)
    yield* doors.kill(leader)
    yield* cluster.advance("50 millis")
    const answers = visit(cluster, survivor, [propose, query])
    assert.deepStrictEqual(answers, [])
    yield* cluster.stop(survivor)
    assert.sameMembers(
      answers.map(({ _tag }) => _tag),
      ["Failed", "Failed"]
    )
  })
)
