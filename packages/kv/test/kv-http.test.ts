/**
 * The HTTP API over a real loopback socket: every status it can answer, bytes that stay bytes, keys of
 * every kind, and what it does with nonsense. Behind it stands a single copy of the machine.
 */
import { NoLeader, OutcomeUnknown, because, StorageFailure } from "@effect-raft/core/RaftError"
import * as LogIndex from "@effect-raft/core/LogIndex"
import { NodeId } from "@effect-raft/core/NodeId"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import { Kv } from "../src/Kv.ts"
import * as KvKey from "../src/KvKey.ts"
import * as KvServer from "../src/KvServer.ts"
import * as FakeRaft from "./support/FakeRaft.ts"
import * as HttpProbe from "./support/HttpProbe.ts"

type Asking = (
  method: string,
  path: string,
  options?: Omit<HttpProbe.Question, "port" | "method" | "path">
) => Effect.Effect<HttpProbe.Answer>

const serving = <A, E>(
  test: (context: {
    readonly ask: Asking
    readonly raft: FakeRaft.FakeRaft
    readonly port: number
  }) => Effect.Effect<A, E>
) => {
  const raft = FakeRaft.make()
  return Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const port = "port" in address ? address.port : assert.fail("no TCP address")
    const ask: Asking = (method, path, options) => HttpProbe.ask({ port, method, path, ...options })
    return yield* test({ ask, raft, port })
  }).pipe(
    Effect.provide(
      KvServer.layer({ url: "http://self" }).pipe(
        Layer.provide(Kv.layer),
        Layer.provide(raft.layer),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
      )
    )
  )
}

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)

describe("values", () => {
  it.live("a put answers its revision and ETag, a get the same bytes and ETag", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const put = yield* ask("PUT", "/kv/host", { body: everyByte })
        assert.strictEqual(put.status, 200)
        assert.deepStrictEqual(put.json, { revision: 1 })
        assert.strictEqual(put.headers.etag, '"1"')
        const got = yield* ask("GET", "/kv/host")
        assert.strictEqual(got.status, 200)
        assert.deepStrictEqual(Uint8Array.from(got.bytes), everyByte)
        assert.strictEqual(got.headers.etag, '"1"')
        assert.strictEqual(got.headers["content-type"], "application/octet-stream")
      })
    )
  )

  it.live("the content type of a put changes nothing", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const types = [
          "application/x-www-form-urlencoded",
          "application/json",
          "multipart/form-data; boundary=x",
          "text/plain; charset=utf-16",
          "nonsense"
        ]
        for (const type of types) {
          const put = yield* ask("PUT", "/kv/a", { body: "a=1&b=%20{", headers: { "content-type": type } })
          assert.strictEqual(put.status, 200, type)
          assert.strictEqual((yield* ask("GET", "/kv/a")).text, "a=1&b=%20{", type)
        }
      })
    )
  )

  it.live("an empty value is a value", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ask("PUT", "/kv/empty")).status, 200)
        const got = yield* ask("GET", "/kv/empty")
        assert.strictEqual(got.status, 200)
        assert.strictEqual(got.bytes.byteLength, 0)
      })
    )
  )

  it.live("a value in chunks of unknown total length is taken", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ask("PUT", "/kv/a", { body: everyByte, chunked: true })).status, 200)
        assert.deepStrictEqual(Uint8Array.from((yield* ask("GET", "/kv/a")).bytes), everyByte)
      })
    )
  )

  it.live("HEAD answers as GET without the bytes", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/a", { body: "four" })
        const head = yield* ask("HEAD", "/kv/a")
        assert.strictEqual(head.status, 200)
        assert.strictEqual(head.headers.etag, '"1"')
        assert.strictEqual(head.headers["content-length"], "4")
        assert.strictEqual(head.bytes.byteLength, 0)
      })
    )
  )

  it.live("an absent key answers 404, a removed one too; delete tells whether it was there", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const absent = yield* ask("GET", "/kv/a")
        assert.strictEqual(absent.status, 404)
        assert.propertyVal(absent.json as object, "error", "NotFound")
        yield* ask("PUT", "/kv/a", { body: "x" })
        const first = yield* ask("DELETE", "/kv/a")
        assert.deepStrictEqual([first.status, first.json], [200, { deleted: true }])
        assert.strictEqual((yield* ask("GET", "/kv/a")).status, 404)
        const second = yield* ask("DELETE", "/kv/a")
        assert.deepStrictEqual([second.status, second.json], [200, { deleted: false }])
      })
    )
  )

  it.live("a get whose If-None-Match is the present ETag answers 304", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/a", { body: "x" })
        const same = yield* ask("GET", "/kv/a", { headers: { "if-none-match": '"1"' } })
        assert.deepStrictEqual([same.status, same.headers.etag], [304, '"1"'])
        const other = yield* ask("GET", "/kv/a", { headers: { "if-none-match": '"2"' } })
        assert.strictEqual(other.status, 200)
      })
    )
  )
})

describe("conditions", () => {
  const outcomes = (path: string, headers?: Record<string, string>) =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/present", { body: "first" })
        const answer = yield* ask("PUT", path, {
          body: "second",
          ...(headers === undefined ? {} : { headers })
        })
        return { status: answer.status, json: answer.json, commands: raft.commands.length }
      })
    )

  it.live.each([
    ["/kv/present?ifMatch=1", {}, 200],
    ["/kv/present?ifMatch=7", {}, 412],
    ["/kv/absent?ifMatch=1", {}, 412],
    ["/kv/absent?ifAbsent=true", {}, 200],
    ["/kv/present?ifAbsent=true", {}, 412],
    ["/kv/present?ifAbsent=false", {}, 200],
    ["/kv/present", { "if-match": '"1"' }, 200],
    ["/kv/present", { "if-match": '"7"' }, 412],
    ["/kv/absent", { "if-none-match": "*" }, 200],
    ["/kv/present", { "if-none-match": "*" }, 412]
  ] as const)("PUT %s %j", ([path, headers, status]) =>
    Effect.gen(function* () {
      const outcome = yield* outcomes(path, headers)
      assert.strictEqual(outcome.status, status)
      if (status === 412) {
        assert.propertyVal(outcome.json as object, "error", "ConditionFailed")
        assert.propertyVal(outcome.json as object, "revision", path.includes("present") ? 1 : null)
      }
    })
  )

  it.live.each([
    ["/kv/a?ifMatch=abc", {}, /ifMatch/],
    ["/kv/a?ifMatch=", {}, /ifMatch/],
    ["/kv/a?ifMatch=-1", {}, /ifMatch/],
    ["/kv/a?ifMatch=1.5", {}, /ifMatch/],
    ["/kv/a?ifMatch=0", {}, /ifMatch/],
    ["/kv/a?ifMatch=1&ifMatch=2", {}, /ifMatch/],
    ["/kv/a?ifAbsent=maybe", {}, /ifAbsent/],
    ["/kv/a?ifMatch=1&ifAbsent=true", {}, /exclude/],
    ["/kv/a?ifmatch=1", {}, /ifmatch/],
    ["/kv/a?ttl=1", {}, /ttl/],
    ["/kv/a", { "if-match": "17" }, /If-Match/],
    ["/kv/a", { "if-match": 'W/"17"' }, /If-Match/],
    ["/kv/a", { "if-none-match": '"17"' }, /If-None-Match/],
    ["/kv/a?ifMatch=1", { "if-match": '"1"' }, /one/]
  ] as const)("PUT %s %j is refused by name", ([path, headers, name]) =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        const answer = yield* ask("PUT", path, { body: "x", headers })
        assert.strictEqual(answer.status, 400)
        const { error, message } = answer.json as { error: string; message: string }
        assert.strictEqual(error, "BadRequest")
        assert.match(message, name)
        assert.deepStrictEqual(raft.commands, [])
      })
    )
  )

  it.live("a delete takes ifMatch as query and as header", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/a", { body: "x" })
        assert.strictEqual((yield* ask("DELETE", "/kv/a?ifMatch=9")).status, 412)
        assert.strictEqual((yield* ask("DELETE", "/kv/a", { headers: { "if-match": '"9"' } })).status, 412)
        assert.deepStrictEqual((yield* ask("DELETE", "/kv/a?ifMatch=1")).json, { deleted: true })
        assert.strictEqual((yield* ask("DELETE", "/kv/a?ifAbsent=true")).status, 400)
      })
    )
  )
})

describe("consistency", () => {
  it.live("is linearizable unless told otherwise; anything else is refused by name", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        yield* ask("GET", "/kv/a")
        yield* ask("GET", "/kv/a?consistency=stale")
        yield* ask("GET", "/kv/a?consistency=linearizable")
        assert.deepStrictEqual(raft.reads, ["linearizable", "stale", "linearizable"])
        const bad = yield* ask("GET", "/kv/a?consistency=foo")
        assert.strictEqual(bad.status, 400)
        assert.match((bad.json as { message: string }).message, /linearizable.*stale.*consistency/)
        assert.strictEqual(raft.reads.length, 3)
      })
    )
  )
})

describe("keys", () => {
  const anyKey = Arbitrary.filter(
    Arbitrary.schema(Schema.String),
    (key) => KvKey.problemWith(key) === undefined
  )

  it.live("any key can be written, read and told from the others", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        const samples = yield* Arbitrary.sampleEffect(anyKey, { count: 60, seed: "keys over HTTP" })
        const awkward = [
          "a/b",
          "a//b",
          "/",
          "//",
          "a;b",
          "a?b",
          "a#b",
          "%",
          "%2F",
          "100%25",
          "A",
          "a",
          "\n",
          "a b"
        ]
        const keys = Array.from(new Set([...samples, ...awkward, "k".repeat(1024), "\u{1F511}".repeat(256)]))
        for (const key of keys) {
          const put = yield* ask("PUT", `/kv/${encodeURIComponent(key)}`, { body: `value of ${key}` })
          assert.strictEqual(put.status, 200, JSON.stringify(key))
        }
        assert.deepStrictEqual(
          raft.commands,
          keys.map((key) => `Put ${key}`)
        )
        for (const key of keys) {
          assert.strictEqual((yield* ask("GET", `/kv/${encodeURIComponent(key)}`)).text, `value of ${key}`)
        }
      })
    )
  )

  it.live("slashes may stand as they are", () =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        yield* ask("PUT", "/kv/a/b//c/?ifAbsent=true", { body: "x" })
        assert.deepStrictEqual(raft.commands, ["Put a/b//c/"])
        assert.strictEqual((yield* ask("GET", "/kv/a%2Fb//c%2F")).text, "x")
      })
    )
  )

  it.live.each([
    ["the empty key", "/kv/"],
    ["no key", "/kv"],
    [".", "/kv/."],
    ["..", "/kv/%2E%2E"],
    ["a lone %", "/kv/%"],
    ["a byte that is not UTF-8", "/kv/%ff"],
    ["a sequence that is not UTF-8", "/kv/%C3%28"],
    ["1025 bytes", `/kv/${"k".repeat(1025)}`]
  ] as const)("%s is refused", ([, path]) =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        for (const method of ["GET", "PUT", "DELETE"]) {
          const answer = yield* ask(method, path)
          assert.strictEqual(answer.status, 400)
          assert.propertyVal(answer.json as object, "in", "key")
        }
      })
    )
  )
})

describe("too large", () => {
  const limit = 1024 * 1024 - 1036

  it.live("the largest value is taken", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const value = Buffer.alloc(limit, 7)
        assert.strictEqual((yield* ask("PUT", "/kv/a", { body: value })).status, 200)
        assert.isTrue((yield* ask("GET", "/kv/a")).bytes.equals(value))
      })
    )
  )

  it.live.each([{ chunked: false }, { chunked: true }])("one byte more answers 413 (%j)", ({ chunked }) =>
    serving(({ ask, raft }) =>
      Effect.gen(function* () {
        const answer = yield* ask("PUT", "/kv/a", { body: Buffer.alloc(limit + 1), chunked })
        assert.strictEqual(answer.status, 413)
        assert.deepInclude(answer.json as object, {
          error: "ValueTooLarge",
          limitBytes: limit,
          sizeBytes: limit + 1
        })
        assert.deepStrictEqual(raft.commands, [])
        assert.strictEqual((yield* ask("PUT", "/kv/a", { body: "small" })).status, 200)
      })
    )
  )

  it.live("of a body without a length no more is read than it takes to know", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        const answer = yield* ask("PUT", "/kv/a", { body: Buffer.alloc(3 * limit), chunked: true })
        assert.strictEqual(answer.status, 413)
        assert.propertyVal(answer.json as object, "sizeBytes", limit + 1)
      })
    )
  )
})

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
          members: [
            { id: "n1", address: "127.0.0.1:7001", role: "voter", http: "http://self", clients: null },
            {
              id: "n2",
              address: "127.0.0.1:7002",
              role: "voter",
              http: "http://127.0.0.1:8002",
              clients: "127.0.0.1:9002"
            }
          ]
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
})

describe("nonsense", () => {
  it.live("an unknown path answers 404, a wrong method 405, both in JSON", () =>
    serving(({ ask }) =>
      Effect.gen(function* () {
        for (const path of ["/", "/nothing", "/KV/a", "/status/x", "/kvs"]) {
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
