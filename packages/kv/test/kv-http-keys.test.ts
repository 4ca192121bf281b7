/**
 * Keys and values over a real loopback socket: bytes that stay bytes, keys of every kind, conditions, and
 * every status that they can be answered with.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as KvKey from "../src/KvKey.ts"
import { everyByte, serving } from "./support/Serving.ts"

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
