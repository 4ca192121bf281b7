/**
 * B46 Sessions of remote clients: what is sent again is applied once, whatever was lost.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { NodeId } from "../../src/NodeId.ts"
import * as Session from "../../src/Session.ts"
import * as SessionRecord from "../../src/sessions/SessionRecord.ts"
import { addressOf, clientTest, whileTheLeaderDies } from "./ClientTest.ts"

clientTest(
  "B46 every command of a session is applied once, though its answers are lost",
  { size: 1 },
  (cluster, doors) =>
    Effect.gen(function* () {
      const [only] = cluster.nodeIds as [NodeId]
      yield* cluster.awaitLeader()
      const client = yield* doors.client()
      const session = yield* cluster.drive(Session.open(client.sessions))
      for (let i = 0; i < 20; i++) {
        const call = yield* Effect.forkChild(session.propose(`${i}`), { startImmediately: true })
        // At every depth of the way once: before the request arrives, before the answer leaves, before it arrives.
        for (let turn = 0; turn < i; turn++) yield* Effect.yieldNow
        doors.hall.cut(addressOf(only))
        assert.strictEqual(yield* cluster.drive(Fiber.join(call)), i + 1)
      }
      // So that there is a connection on which the session can take its leave: time stands still by then.
      assert.strictEqual(yield* cluster.drive(session.propose("20")), 21)
      const applied = yield* cluster.read((state) => state, only)
      assert.deepStrictEqual(
        applied,
        Array.from({ length: 21 }, (_, i) => `${i}`)
      )
    })
)

clientTest("B46 a leader killed mid-stream costs a session nothing but time", { size: 3 }, (cluster, doors) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader()
    const client = yield* doors.client()
    const session = yield* cluster.drive(Session.open(client.sessions))
    const outcomes = yield* whileTheLeaderDies(cluster, doors, session.propose)
    assert.isTrue(outcomes.every(Result.isSuccess))
    const applied = yield* cluster.read((state) => state, yield* cluster.awaitLeader())
    assert.strictEqual(applied.length, 200)
    assert.strictEqual(new Set(applied).size, 200)
  })
)

clientTest(
  "a client cannot set the limits of its session, nor put nonsense into the log",
  { size: 1 },
  (cluster) =>
    Effect.gen(function* () {
      const [only] = cluster.nodeIds as [NodeId]
      yield* cluster.awaitLeader()
      const before = cluster.state(only).log.lastIndex
      const greedy = SessionRecord.encode({
        _tag: "Open",
        limits: { timeoutMillis: 1e12, maxReplies: 1e9, maxReplyBytes: 1e12 },
        maxSessions: 1e9
      })
      const refusals: Array<string> = []
      const visit = cluster.raft(only).entrance.admit({
        answer: (answer) => refusals.push(answer._tag === "Failed" ? answer.reason._tag : answer._tag)
      })
      visit.take([
        { _tag: "Session", id: 1, record: greedy },
        { _tag: "Session", id: 2, record: new Uint8Array([9, 9]) },
        { _tag: "Session", id: 3, record: new Uint8Array(0) }
      ])
      yield* cluster.advance(100)
      assert.deepStrictEqual(refusals, ["InvalidCommand", "InvalidCommand", "InvalidCommand"])
      assert.strictEqual(cluster.state(only).log.lastIndex, before)
    })
)
