/**
 * The client: which node it asks, what it tries again and what it must not, and that every call ends.
 * The nodes' answers are scripted, and the clock is the test's.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { Kv } from "../src/Kv.ts"
import * as KvClient from "../src/KvClient.ts"
import type * as KvError from "../src/KvError.ts"
import {
  brokenConnection,
  found,
  json,
  refusedConnection,
  scripted,
  unavailable,
  unknown,
  written
} from "./support/ScriptedNodes.ts"
import type { Reply } from "./support/ScriptedNodes.ts"

const one = "http://one:1"
const two = "http://two:2"
const three = "http://three:3"

const run = <A>(
  script: ReadonlyArray<Reply>,
  use: (kv: Kv["Service"]) => Effect.Effect<A, KvError.KvError>,
  endpoints: ReadonlyArray<string> = [one, two, three]
) => {
  const nodes = scripted(script)
  return Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(Kv.use(use)))
    // Longer than any call may take: whatever pauses and time limits there are have passed.
    yield* TestClock.adjust("1 minute")
    const exit = fiber.pollUnsafe()
    if (exit === undefined) return assert.fail("the call did not end within a minute")
    const result = yield* Effect.result(Effect.flatten(Fiber.join(fiber)))
    return { result, asked: nodes.asked }
  }).pipe(Effect.provide(KvClient.layer({ endpoints }).pipe(Layer.provide(nodes.layer))))
}

type Call = (kv: Kv["Service"]) => Effect.Effect<unknown, KvError.KvError>

const put: Call = (kv) => kv.put("a", new Uint8Array([1]))
const get: Call = (kv) => kv.get("a")
const remove: Call = (kv) => kv.delete("a")

const reasonOf = (result: { readonly _tag: string; readonly failure?: KvError.KvError }) =>
  result.failure?.reason._tag

describe("answers", () => {
  it.effect("a put gives the revision, a get value and revision, a delete whether it was there", () =>
    Effect.gen(function* () {
      const results = yield* run([written(), found(), json(200, { deleted: true })], (kv) =>
        Effect.all([put(kv), get(kv), remove(kv)])
      )
      assert.deepStrictEqual(results.result._tag === "Success" ? results.result.success : undefined, [
        7,
        Option.some({ value: new TextEncoder().encode("value"), revision: 7 }),
        true
      ])
    })
  )

  it.effect("an absent key is none", () =>
    Effect.gen(function* () {
      const { result } = yield* run([json(404, { error: "NotFound", message: "", key: "a" })], get)
      assert.deepStrictEqual(result._tag === "Success" ? result.success : undefined, Option.none())
    })
  )

  it.effect("a failed condition is told and not tried again", () =>
    Effect.gen(function* () {
      const failed = json(412, { error: "ConditionFailed", message: "", revision: 5 })
      const { asked, result } = yield* run([failed], (kv) =>
        kv.compareAndSet("a", { expected: 3, value: new Uint8Array() })
      )
      assert.deepStrictEqual(result._tag === "Success" ? result.success : undefined, {
        swapped: false,
        revision: 5
      })
      assert.strictEqual(asked.length, 1)
    })
  )

  it.effect("a key that is none and a value that is too large never leave the client", () =>
    Effect.gen(function* () {
      const invalid = yield* run([], (kv) => kv.get(""))
      assert.strictEqual(reasonOf(invalid.result), "KeyInvalid")
      const large = yield* run([], (kv) => kv.put("a", new Uint8Array(kv.maxValueBytes + 1)))
      assert.strictEqual(reasonOf(large.result), "ValueTooLarge")
    })
  )
})

describe("writes", () => {
  it.effect.each([
    ["a node that refuses the connection", refusedConnection],
    ["a node that says it did not happen", unavailable()]
  ] as const)("after %s the next one is asked", ([, first]) =>
    Effect.gen(function* () {
      const { asked, result } = yield* run([first, written()], put)
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(asked, [`PUT ${one}`, `PUT ${two}`])
    })
  )

  it.effect.each([
    ["a node says so", unknown],
    ["the connection breaks", () => brokenConnection],
    ["a node stays silent", () => "silence"],
    ["something else answers", () => new Response("<html>Bad Gateway</html>", { status: 502 })],
    ["a node answers 200 with nonsense", () => new Response("nonsense", { status: 200 })]
  ] as ReadonlyArray<readonly [string, () => Reply]>)(
    "the outcome is unknown and nothing is sent again when %s",
    ([, reply]) =>
      Effect.gen(function* () {
        for (const write of [put, remove]) {
          const { asked, result } = yield* run([reply()], write)
          assert.strictEqual(reasonOf(result), "OutcomeUnknown")
          assert.strictEqual(asked.length, 1)
        }
      })
  )

  it.effect("what the node knows of an unknown outcome is passed on", () =>
    Effect.gen(function* () {
      const { result } = yield* run([unknown()], put)
      const reason = result._tag === "Failure" ? result.failure.reason : undefined
      assert.deepStrictEqual(
        reason?._tag === "OutcomeUnknown" ? `${reason.index} ${reason.term}` : undefined,
        "9 2"
      )
      assert.strictEqual(result._tag === "Failure" ? result.failure.outcome : undefined, "unknown")
    })
  )

  it.effect("while no node can serve, they are asked in turn until the time is up", () =>
    Effect.gen(function* () {
      const { asked, result } = yield* run(
        Array.from({ length: 1000 }, () => unavailable()),
        put
      )
      assert.strictEqual(reasonOf(result), "Unavailable")
      assert.match(result._tag === "Failure" ? result.failure.message : "", /10000 ms.*no leader/)
      assert.deepStrictEqual(asked.slice(0, 4), [`PUT ${one}`, `PUT ${two}`, `PUT ${three}`, `PUT ${one}`])
      // The pauses grow: it is nowhere near as often as the script would have it.
      assert.isBelow(asked.length, 40)
    })
  )

  it.effect(
    "are not begun when there is no time left for the answer, so that they surely did not happen",
    () =>
      Effect.gen(function* () {
        const slow = Array.from({ length: 10 }, () => ({ afterMillis: 3000, reply: unavailable }))
        const { asked, result } = yield* run(slow, put, [one])
        assert.strictEqual(reasonOf(result), "Unavailable")
        assert.strictEqual(asked.length, 3)
      })
  )

  it.effect("that found nobody say why, and where", () =>
    Effect.gen(function* () {
      const { result } = yield* run(
        Array.from({ length: 1000 }, () => refusedConnection),
        put,
        [one]
      )
      assert.strictEqual(reasonOf(result), "Unavailable")
      assert.match(
        result._tag === "Failure" ? result.failure.message : "",
        /http:\/\/one:1: connect ECONNREFUSED$/
      )
    })
  )
})

describe("reads", () => {
  it.effect.each([
    ["a refused connection", () => refusedConnection],
    ["a broken connection", () => brokenConnection],
    ["silence", () => "silence"],
    ["a 503", unavailable],
    ["something else", () => new Response("<html></html>", { status: 404 })]
  ] as ReadonlyArray<readonly [string, () => Reply]>)("are tried again after %s", ([, reply]) =>
    Effect.gen(function* () {
      const { asked, result } = yield* run([reply(), found()], get)
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(asked, [`GET ${one}`, `GET ${two}`])
    })
  )

  it.effect("end as unavailable when the time is up", () =>
    Effect.gen(function* () {
      const { result } = yield* run(
        Array.from({ length: 10 }, () => "silence" as const),
        get
      )
      assert.strictEqual(reasonOf(result), "Unavailable")
    })
  )
})

describe("the node that is asked", () => {
  it.effect("is the one that answered last", () =>
    Effect.gen(function* () {
      const { asked } = yield* run([refusedConnection, written(), written()], (kv) =>
        Effect.andThen(put(kv), put(kv))
      )
      assert.deepStrictEqual(asked, [`PUT ${one}`, `PUT ${two}`, `PUT ${two}`])
    })
  )

  it.effect("is the leader, once an answer named it", () =>
    Effect.gen(function* () {
      const { asked } = yield* run([written({ "raft-leader": `${three}/` }), written()], (kv) =>
        Effect.andThen(put(kv), put(kv))
      )
      assert.deepStrictEqual(asked, [`PUT ${one}`, `PUT ${three}`])
    })
  )

  it.effect("is never one that the client was not told of", () =>
    Effect.gen(function* () {
      const { asked } = yield* run([written({ "raft-leader": "http://elsewhere:4" }), written()], (kv) =>
        Effect.andThen(put(kv), put(kv))
      )
      assert.deepStrictEqual(asked, [`PUT ${one}`, `PUT ${one}`])
    })
  )

  it.effect("is not a leader that just failed", () =>
    Effect.gen(function* () {
      const names = { "raft-leader": three }
      const { asked } = yield* run(
        [written(names), refusedConnection, written(names), written(names)],
        (kv) => Effect.andThen(put(kv), Effect.andThen(put(kv), put(kv)))
      )
      assert.deepStrictEqual(asked, [`PUT ${one}`, `PUT ${three}`, `PUT ${one}`, `PUT ${one}`])
    })
  )

  it.effect.each([[], ["nonsense"], ["ftp://x"]])(
    "endpoints %j are refused when the layer is built",
    (endpoints) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Effect.provide(
            Kv.use((kv) => kv.get("a")),
            KvClient.layer({ endpoints }).pipe(Layer.provide(scripted([]).layer))
          )
        )
        assert.strictEqual(error._tag, "EndpointsInvalid")
      })
  )
})
