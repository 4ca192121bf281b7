/**
 * The HTTP API over a real loopback socket, but for keys and values: what it answers when the node fails,
 * what it tells of the node and of itself, and what it does with nonsense.
 */
import { assert, describe, it } from "@effect/vitest"
import { NoLeader, OutcomeUnknown, because, StorageFailure } from "@effect-raft/core/RaftError"
import * as LogIndex from "@effect-raft/core/LogIndex"
import { NodeId } from "@effect-raft/core/NodeId"
import * as Effect from "effect/Effect"
import * as FakeRaft from "./support/FakeRaft.ts"
import * as HttpProbe from "./support/HttpProbe.ts"
import { everyByte, members, serving } from "./support/Serving.ts"

describe("failures", () => {
  it.live("a write that surely did not happen answers 503 with Retry-After", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        raft.failWith = because(new NoLeader({ waitedMillis: 3000 }))
        for (const method of ["PUT", "DELETE"]) {
          const answer = yield* ask(method, "/kv/a", method === "PUT" ? { body: "x" } : {})
          assert.strictEqual(answer.status, 503)
          assert.strictEqual(answer.headers["retry-after"], "1")
          assert.deepInclude(answer.json as object, { outcome: "none", reason: "NoLeader" })
        }
      })
    )
  )

  it.live("a write that may have happened answers 504", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        raft.failWith = because(
          new OutcomeUnknown({
            index: LogIndex.plus(LogIndex.zero, 9),
            term: FakeRaft.term(2),
            detail: "lost"
          })
        )
        for (const method of ["PUT", "DELETE"]) {
          const answer = yield* ask(method, "/kv/a", method === "PUT" ? { body: "x" } : {})
          assert.strictEqual(answer.status, 504)
          assert.deepInclude(answer.json as object, { outcome: "unknown", index: 9, term: 2 })
        }
      })
    )
  )

  it.live("a read that failed answers 503, whatever the node says of outcomes", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        raft.failWith = because(new OutcomeUnknown({ detail: "lost" }))
        const answer = yield* ask("GET", "/kv/a")
        assert.strictEqual(answer.status, 503)
        assert.deepInclude(answer.json as object, { outcome: "none" })
      })
    )
  )
})

describe("the node", () => {
  it.live("/status tells where it stands and who the members are", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/a", { body: "x" })
        const answer = yield* ask("GET", "/status")
        assert.strictEqual(answer.status, 200)
        assert.deepStrictEqual(answer.json, {
          clusterId: "test",
          node: "n1",
          role: "Leader",
          term: 1,
          leader: "n1",
          commit: 1,
          applied: 1,
          last: 1,
          members
        })
      })
    )
  )

  it.live("/health is 200 with a leader, 503 without one or after the node stopped", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        const healthy = yield* ask("GET", "/health")
        assert.deepStrictEqual([healthy.status, healthy.json], [200, { status: "ok", leader: "n1" }])
        raft.leader = null
        const alone = yield* ask("GET", "/health")
        assert.strictEqual(alone.status, 503)
        assert.propertyVal(alone.json as object, "reason", "no leader is known")
        raft.leader = NodeId.make("n2")
        yield* raft.stop(because(new StorageFailure({ detail: "disk full" })))
        const stopped = yield* ask("GET", "/health")
        assert.strictEqual(stopped.status, 503)
        assert.match((stopped.json as { reason: string }).reason, /disk full/)
      })
    )
  )

  it.live("/metrics counts what was served and tells where the node stands", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/a", { body: "x" })
        yield* ask("GET", "/kv/missing")
        const answer = yield* ask("GET", "/metrics")
        assert.strictEqual(answer.status, 200)
        assert.match(answer.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/)
        assert.match(answer.text, /^kv_operations_total\{.*operation="put".*result="ok".*\} \d+$/m)
        assert.match(answer.text, /^kv_operations_total\{.*operation="get".*result="NotFound".*\} \d+$/m)
        assert.match(answer.text, /^kv_operation_duration_seconds_bucket\{.*le="0.001".*\} \d+$/m)
        assert.match(answer.text, /^raft_role\{.*role="Leader".*\} 1$/m)
        assert.match(answer.text, /^raft_role\{.*role="Follower".*\} 0$/m)
        assert.match(answer.text, /^raft_applied_index\{node="n1"\} 1$/m)
        assert.match(answer.text, /^kv_keys\{node="n1"\} 1$/m)
      })
    )
  )

  it.live("an answer about a key names the leader's URL where it is another node", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        assert.notProperty((yield* ask("GET", "/kv/a")).headers, "raft-leader")
        raft.leader = NodeId.make("n2")
        assert.strictEqual((yield* ask("GET", "/kv/a")).headers["raft-leader"], "http://127.0.0.1:8002")
      })
    )
  )
})

describe("documents", () => {
  it.live("/openapi.json describes every path, its methods and its answers", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const answer = yield* ask("GET", "/openapi.json")
        assert.strictEqual(answer.status, 200)
        const { openapi, paths } = answer.json as {
          openapi: string
          paths: Record<
            string,
            Record<string, { responses: Record<string, unknown>; parameters: Array<unknown> }>
          >
        }
        assert.match(openapi, /^3\.1/)
        assert.sameMembers(Object.keys(paths), [
          "/kv/{key}",
          "/status",
          "/health",
          "/metrics",
          "/backup",
          "/membership",
          "/leadership"
        ])
        const key = paths["/kv/{key}"]!
        assert.sameMembers(Object.keys(key), ["get", "put", "delete"])
        assert.sameMembers(Object.keys(key["get"]!.responses), ["200", "400", "404", "503"])
        assert.sameMembers(Object.keys(key["put"]!.responses), ["200", "400", "412", "413", "503", "504"])
        assert.sameMembers(Object.keys(key["delete"]!.responses), ["200", "400", "412", "413", "503", "504"])
      })
    )
  )

  it.live("/docs is a page that loads nothing from elsewhere", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const answer = yield* ask("GET", "/docs")
        assert.strictEqual(answer.status, 200)
        assert.match(answer.headers["content-type"] ?? "", /text\/html/)
        assert.notMatch(answer.text, /<(script|link)[^>]+(src|href)=/)
      })
    )
  )

  it.live("whoever opens the node's own address is shown that page", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const answer = yield* ask("GET", "/")
        assert.deepStrictEqual([answer.status, answer.headers.location], [302, "/docs"])
      })
    )
  )

  it.live("the page asks for no credentials, as there are none", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const { json } = yield* ask("GET", "/openapi.json")
        assert.deepStrictEqual(Object.keys((json as { components: object }).components), ["schemas"])
      })
    )
  )
})

describe("nonsense", () => {
  it.live("an unknown path answers 404, a wrong method 405, both in JSON", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        for (const path of ["/nothing", "/KV/a", "/status/x", "/kvs"]) {
          const answer = yield* ask("GET", path)
          assert.strictEqual(answer.status, 404, path)
          assert.propertyVal(answer.json as object, "error", "NoSuchPath")
        }
        const post = yield* ask("POST", "/kv/a", { body: "x" })
        assert.strictEqual(post.status, 405)
        assert.strictEqual(post.headers.allow, "GET, HEAD, PUT, DELETE")
        assert.strictEqual((yield* ask("PUT", "/status", { body: "x" })).status, 405)
        assert.strictEqual((yield* ask("PATCH", "/kv/a/b")).status, 405)
      })
    )
  )

  it.live("random bytes are answered with 400 and the server lives on", () =>
    serving(({ ask, port }) =>
      Effect.gen(function* () {
        assert.match(yield* HttpProbe.shout(port, everyByte), /^HTTP\/1\.1 400/)
        assert.match(yield* HttpProbe.shout(port, "GET /kv/a HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 400/)
        assert.strictEqual((yield* ask("GET", "/health")).status, 200)
      })
    )
  )

  it.live("a client that goes away in the middle of a value writes nothing", () =>
    serving(({ ask, port, raft }) =>
      Effect.gen(function* () {
        yield* Effect.raceFirst(
          HttpProbe.shout(port, "PUT /kv/half HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf"),
          // One answer on another connection later, the half-sent request has been seen.
          ask("GET", "/health")
        )
        assert.strictEqual((yield* ask("GET", "/kv/half")).status, 404)
        assert.deepStrictEqual(raft.commands, [])
      })
    )
  )
})
