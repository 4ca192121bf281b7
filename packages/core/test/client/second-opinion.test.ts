/**
 * A node that takes requests and answers none: its clients hear from the others who leads, and go there.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Welcome } from "../../src/ClientMessage.ts"
import type { ClusterId, GroupId, NodeId } from "../../src/NodeId.ts"
import { NotLeader } from "../../src/RaftError.ts"
import { addressOf, clientTest } from "./ClientTest.ts"

const welcome: Welcome = {
  clusterId: "test" as ClusterId,
  groupId: "default" as GroupId,
  nodeId: "n0" as NodeId,
  maxInFlight: 100,
  leaderAt: null
}

/** Lets everybody in, and says nothing more. */
const frozen = { welcome: () => welcome, admit: () => ({ take: () => undefined, end: () => undefined }) }

clientTest("leaves a node that stands still when another one leads", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader()
    yield* doors.hall.listen("frozen", frozen)
    const client = yield* doors.client({ endpoints: ["frozen", ...cluster.nodeIds.map(addressOf)] })
    yield* Effect.forkScoped(client.propose("lost"))
    yield* cluster.advance("150 millis")
    const count = yield* cluster.drive(client.propose("x"), { within: "50 millis" })
    assert.strictEqual(count, 1)
  })
)

clientTest("stays at the node that it asked when that one leads", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const { entrance } = cluster.raft(yield* cluster.awaitLeader())
    let admitted = 0
    yield* doors.hall.listen("frozen", frozen)
    yield* doors.hall.listen("heir", {
      ...entrance,
      admit: (visitor) => {
        admitted += 1
        return entrance.admit(visitor)
      }
    })
    const client = yield* doors.client({ endpoints: ["frozen", "heir"] })
    yield* Effect.forkScoped(client.propose("lost"))
    yield* cluster.advance("150 millis")
    for (const [at, command] of ["x", "y"].entries()) {
      assert.strictEqual(yield* cluster.drive(client.propose(command), { within: "50 millis" }), at + 1)
    }
    // It goes on there, and asks nobody any more.
    yield* cluster.advance("1 second")
    assert.strictEqual(yield* cluster.drive(client.propose("z")), 3)
    assert.strictEqual(admitted, 1)
  })
)

clientTest("brings elsewhere what a node refuses that it has left already", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const refusals: Array<() => void> = []
    yield* doors.hall.listen("silent", {
      welcome: () => welcome,
      admit: ({ answer }) => ({
        take: (requests) =>
          requests.forEach(({ id }) =>
            refusals.push(() =>
              answer({ _tag: "Failed", id, reason: new NotLeader({ leader: null }), leaderAt: null })
            )
          ),
        end: () => undefined
      })
    })
    const client = yield* doors.client({ endpoints: ["silent", addressOf(leader)] })
    const refused = yield* Effect.forkScoped(client.propose("x"))
    yield* cluster.advance("150 millis")
    assert.strictEqual(yield* cluster.drive(client.propose("y")), 1)
    for (const refuse of refusals) refuse()
    yield* cluster.until("the refused call is served", () => refused.pollUnsafe() !== undefined)
    assert.deepStrictEqual(refused.pollUnsafe(), Exit.succeed(2))
    assert.strictEqual(yield* cluster.drive(client.propose("z")), 3)
  })
)

clientTest(
  "asks elsewhere what it asked on a connection that it has left and that breaks",
  { size: 3 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* doors.hall.listen("frozen", frozen)
      const client = yield* doors.client({ endpoints: ["frozen", addressOf(leader)] })
      const asked = yield* Effect.forkScoped(client.query({ _tag: "Count" }))
      yield* cluster.advance("150 millis")
      assert.strictEqual(yield* cluster.drive(client.propose("x")), 1)
      assert.strictEqual(doors.hall.cut("frozen"), 1)
      yield* cluster.until("the question is answered", () => asked.pollUnsafe() !== undefined)
      assert.strictEqual(yield* cluster.drive(client.propose("y")), 2)
    })
)

clientTest("hears of it when the connection breaks that it stayed at", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    yield* doors.hall.listen("frozen", frozen)
    yield* doors.hall.listen("heir", cluster.raft(leader).entrance)
    const client = yield* doors.client({ endpoints: ["frozen", "heir", addressOf(leader)] })
    yield* Effect.forkScoped(client.propose("lost"))
    yield* cluster.advance("150 millis")
    yield* cluster.drive(client.propose("x"))
    assert.strictEqual(doors.hall.cut("heir"), 1)
    assert.strictEqual(yield* cluster.drive(client.propose("y")), 2)
  })
)

clientTest(
  "stays with a slow leader as long as the others say that it leads",
  { size: 3 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const client = yield* doors.client({ endpoints: cluster.nodeIds.map(addressOf) })
      yield* cluster.drive(client.propose("x"))
      // Nothing can be committed until one of the two is back, which is sooner than the leader steps down.
      const followers = cluster.nodeIds.filter((nodeId) => nodeId !== leader)
      for (const follower of followers) cluster.network.cut({ from: leader, to: follower })
      const slow = yield* Effect.forkScoped(client.propose("y"))
      yield* cluster.advance("300 millis")
      assert.isUndefined(slow.pollUnsafe())
      cluster.network.heal()
      yield* cluster.until("it is answered", () => slow.pollUnsafe() !== undefined)
      assert.strictEqual(yield* cluster.awaitLeader(), leader)
    })
)
