/**
 * The recorder, and the form of a history on disk.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as History from "@effect-raft/core/testing/History"
import * as KvHistory from "@effect-raft/core/testing/KvHistory"
import type { KvInput, KvOperation, KvOutput } from "@effect-raft/core/testing/KvModel"

const get = { op: "get", key: "k" } as const

/** One get by client 1 that does what `effect` does; the error "refused" means that nothing happened. */
const recordGet = <A extends KvOutput, E>(
  recorder: History.Recorder<KvInput, KvOutput>,
  effect: Effect.Effect<A, E>
) =>
  recorder.record(effect, {
    client: 1,
    input: get,
    output: (value) => value,
    didNotHappen: (error) => error === "refused"
  })

const outcomeOf = <A extends KvOutput, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const recorder = yield* History.make<KvInput, KvOutput>()
    yield* Effect.exit(recordGet(recorder, effect))
    const [operation] = yield* recorder.operations
    return operation!.outcome
  })

describe("the recorder", () => {
  it.effect("tells success, sure failure and doubt apart", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* outcomeOf(Effect.succeed("v")), { _tag: "Ok", output: "v" })
      assert.deepStrictEqual(yield* outcomeOf(Effect.fail("refused")), { _tag: "Fail" })
      assert.deepStrictEqual(yield* outcomeOf(Effect.fail("timeout")), { _tag: "Unknown" })
      assert.deepStrictEqual(yield* outcomeOf(Effect.die("refused")), { _tag: "Unknown" })
      assert.deepStrictEqual(yield* outcomeOf(Effect.interrupt), { _tag: "Unknown" })
    })
  )

  it.effect("hands on what the operation itself gave", () =>
    Effect.gen(function* () {
      const recorder = yield* History.make<KvInput, KvOutput>()
      assert.strictEqual(yield* recordGet(recorder, Effect.succeed("v")), "v")
      const exit = yield* Effect.exit(recordGet(recorder, Effect.fail("timeout")))
      assert.isTrue(Exit.isFailure(exit))
    })
  )

  it.effect("takes its times from the clock, counted from its beginning", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const recorder = yield* History.make<KvInput, KvOutput>()
      yield* TestClock.adjust("2 millis")
      const fiber = yield* Effect.forkChild(
        recordGet(recorder, Effect.delay(Effect.succeed("v"), "3 millis"))
      )
      yield* TestClock.adjust("3 millis")
      yield* Fiber.join(fiber)
      const [operation] = yield* recorder.operations
      assert.strictEqual(operation!.callNanos, 2_000_000)
      assert.strictEqual(operation!.returnNanos, 5_000_000)
    })
  )

  it.effect("keeps the order of events while the clock stands still", () =>
    Effect.gen(function* () {
      const recorder = yield* History.make<KvInput, KvOutput>()
      yield* recordGet(recorder, Effect.succeed("a"))
      yield* recordGet(recorder, Effect.succeed("b"))
      const [a, b] = yield* recorder.operations
      assert.isBelow(a!.callNanos, a!.returnNanos)
      assert.isBelow(a!.returnNanos, b!.callNanos)
    })
  )

  it.effect("shows what still runs as unknown, and later what became of it", () =>
    Effect.gen(function* () {
      const recorder = yield* History.make<KvInput, KvOutput>()
      const fiber = yield* Effect.forkChild(
        recordGet(recorder, Effect.delay(Effect.succeed("v"), "1 second"))
      )
      yield* TestClock.adjust("10 millis")
      const [running] = yield* recorder.operations
      assert.strictEqual(running!.outcome._tag, "Unknown")
      assert.isAtLeast(running!.returnNanos, 10_000_000)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      const [ended] = yield* recorder.operations
      assert.deepStrictEqual(ended!.outcome, { _tag: "Ok", output: "v" })
    })
  )
})

const operation = (input: KvInput, outcome: History.Outcome<KvOutput>): KvOperation => ({
  client: 1,
  input,
  callNanos: 1,
  returnNanos: 2,
  outcome
})

const operations: ReadonlyArray<KvOperation> = [
  operation(get, { _tag: "Ok", output: null }),
  operation({ op: "put", key: "k", value: "line\nfeed" }, { _tag: "Ok", output: null }),
  operation({ op: "append", key: "k", value: "ä" }, { _tag: "Unknown" }),
  operation({ op: "cas", key: "k", expected: "e", value: "v" }, { _tag: "Ok", output: true }),
  operation({ op: "cas", key: "k", expected: null, value: "v" }, { _tag: "Fail" }),
  operation({ op: "delete", key: "k" }, { _tag: "Ok", output: false })
]

describe("the form on disk", () => {
  it.effect("is one line for each operation, with the fields of docs/history.md", () =>
    Effect.gen(function* () {
      const lines = (yield* KvHistory.encode(operations)).split("\n")
      assert.lengthOf(lines, operations.length + 1)
      assert.deepStrictEqual(JSON.parse(lines[3]!), {
        client: 1,
        op: "cas",
        key: "k",
        value: "v",
        expected: "e",
        output: true,
        call_ns: 1,
        return_ns: 2,
        status: "ok"
      })
    })
  )

  it.effect("gives back what was written", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* KvHistory.decode(yield* KvHistory.encode(operations)), operations)
      assert.deepStrictEqual(yield* KvHistory.decode(yield* KvHistory.encode([])), [])
    })
  )

  const line = { client: 1, op: "get", key: "k", output: "v", call_ns: 1, return_ns: 2, status: "ok" }
  const refusalOf = (text: string) =>
    Effect.map(Effect.flip(KvHistory.decode(text)), ({ message }) => message)

  it.effect("names the line that cannot be read, and why", () =>
    Effect.gen(function* () {
      const good = `${JSON.stringify(line)}\n`
      const bad = (change: object) => `${good}${good}${JSON.stringify({ ...line, ...change })}\n`
      assert.match(
        yield* refusalOf(`${good}${good}{`),
        /^Line 3 of the history cannot be read: it is not JSON/
      )
      assert.match(yield* refusalOf(bad({ status: "maybe" })), /^Line 3 [^]*status/)
      assert.match(yield* refusalOf(bad({ op: "put" })), /^Line 3 [^]*a put needs a value/)
      assert.match(
        yield* refusalOf(bad({ return_ns: 0 })),
        /^Line 3 [^]*return_ns must not be before call_ns/
      )
      assert.match(yield* refusalOf(bad({ op: "cas", value: "w" })), /^Line 3 [^]*true or false/)
      assert.match(yield* refusalOf(bad({ output: true })), /^Line 3 [^]*a text or null/)
    })
  )
})
