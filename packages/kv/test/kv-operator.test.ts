/** What operators ask over HTTP: it reaches the node as it was meant, and every failure says what became of it. */
import { assert, describe, it } from "@effect/vitest"
import { LogIndex } from "@effect-raft/core/LogIndex"
import { NodeId } from "@effect-raft/core/NodeId"
import * as Reason from "@effect-raft/core/RaftError"
import * as Effect from "effect/Effect"
import type * as FakeRaft from "./support/FakeRaft.ts"
import type * as HttpProbe from "./support/HttpProbe.ts"
import * as Serving from "./support/Serving.ts"

const serving = <A, E>(
  test: (context: {
    readonly change: (body: unknown) => Effect.Effect<HttpProbe.Answer>
    readonly raft: FakeRaft.FakeRaft
  }) => Effect.Effect<A, E>
) =>
  Serving.serving(({ ask, raft }) =>
    test({
      raft,
      change: (body) =>
        ask("POST", "/membership", {
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body)
        })
    })
  )

const removeN2 = { _tag: "Remove", nodeId: "n2" }

describe("POST /membership", () => {
  it.live("reaches the node, and answers with the members", () =>
    serving(({ change, raft }) =>
      Effect.gen(function* () {
        const asked = { _tag: "AddLearner", nodeId: "n3", address: "127.0.0.1:7003", autoPromote: true }
        const { json, status } = yield* change(asked)
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(json, { members: Serving.members })
        assert.deepStrictEqual(JSON.parse(JSON.stringify(raft.changes)), [asked])
      })
    )
  )

  const failures = [
    {
      name: "421 with the leader's URL from another node",
      reason: new Reason.NotLeader({ leader: NodeId.make("n2") }),
      status: 421,
      json: { error: "NotLeader", outcome: "none", leader: "n2", url: "http://127.0.0.1:8002" }
    },
    {
      name: "421 without one where none is known",
      reason: new Reason.NotLeader({ leader: null }),
      status: 421,
      json: { error: "NotLeader", outcome: "none", leader: null, url: null }
    },
    {
      name: "409 with the reason where the leader refuses",
      reason: new Reason.MembershipRejected({
        rejection: { _tag: "ChangeInFlight", index: LogIndex.make(7) }
      }),
      status: 409,
      json: { error: "OperationRefused", outcome: "none", reason: "ChangeInFlight" }
    },
    {
      name: "503 where it surely did not happen",
      reason: new Reason.ShuttingDown(),
      status: 503,
      json: { error: "Unavailable", outcome: "none", reason: "ShuttingDown" }
    },
    {
      name: "504 where it may have",
      reason: new Reason.OutcomeUnknown({ detail: "the leader lost its office" }),
      status: 504,
      json: { error: "OutcomeUnknown", outcome: "unknown" }
    }
  ]
  for (const { json, name, reason, status } of failures) {
    it.live(`answers ${name}`, () =>
      serving(({ change, raft }) =>
        Effect.gen(function* () {
          raft.failWith = new Reason.RaftError({ reason })
          const answer = yield* change(removeN2)
          assert.strictEqual(answer.status, status)
          assert.deepInclude(answer.json, json)
          assert.nestedProperty(answer.json, "message")
        })
      )
    )
  }

  it.live("refuses what is no change, by the part that is wrong, and does nothing", () =>
    serving(({ change, raft }) =>
      Effect.gen(function* () {
        for (const body of [
          {},
          { _tag: "Remove" },
          { _tag: "Remove", nodeId: "bad name" },
          { _tag: "Explode" }
        ]) {
          const { json, status } = yield* change(body)
          assert.strictEqual(status, 400, JSON.stringify(body))
          assert.deepInclude(json, { error: "BadRequest", in: "body" })
        }
        assert.deepStrictEqual(raft.changes, [])
      })
    )
  )
})
