/** What the story makes of standard input. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as StoryKeys from "../src/StoryKeys.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const parsed = (text: string) =>
  Effect.map(StoryKeys.parse(bytes(text)), (pairs) =>
    pairs.map(({ key, value }) => [key, new TextDecoder().decode(value)])
  )

describe("key=value lines", () => {
  it.effect("are taken one by one, blank ones skipped, the last without a line feed", () =>
    Effect.gen(function* () {
      expect(yield* parsed("a=1\n\n  \nb=2")).toEqual([
        ["a", "1"],
        ["b", "2"]
      ])
    })
  )

  it.effect("keep what belongs to the value: equals signs, spaces, nothing at all", () =>
    Effect.gen(function* () {
      expect(yield* parsed("url=http://x?a=b\npadded= x \nempty=\n")).toEqual([
        ["url", "http://x?a=b"],
        ["padded", " x "],
        ["empty", ""]
      ])
    })
  )

  it.effect("may end in carriage return and line feed", () =>
    Effect.gen(function* () {
      expect(yield* parsed("a=1\r\nb=2\r\n")).toEqual([
        ["a", "1"],
        ["b", "2"]
      ])
    })
  )

  it.effect("keep bytes that are no text", () =>
    Effect.gen(function* () {
      const [pair] = yield* StoryKeys.parse(Uint8Array.of(0x61, 0x3d, 0xff, 0x00, 0x3d))
      expect(Array.from(pair?.value ?? [])).toEqual([0xff, 0x00, 0x3d])
    })
  )

  it.effect.each(["novalue", "=1", "a=1\nb", "\u0000"])(
    "are refused by their number where they are none: %j",
    (text) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(parsed(text))
        expect(error.message).toMatch(/^Line [12] of standard input is not key=value: /)
        expect(error.exitCode).toBe(2)
      })
  )

  it.effect.each([
    [`${"k".repeat(1_025)}=1`, "a key takes at most 1024 bytes"],
    [`big=${"v".repeat(1024 * 1024)}`, "the value of big takes 1048576 bytes, at most"]
  ] as const)("are refused where they cannot be stored", ([text, problem]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parsed(text))
      expect(error.message).toContain(`Line 1 of standard input cannot be stored: ${problem}`)
    })
  )

  it("count once per key when they are read back, with the last value", () => {
    const pairs = ["1", "2"].map((value) => ({ key: "a", value: bytes(value) }))
    expect(StoryKeys.lastOfEach(pairs)).toEqual([{ key: "a", value: bytes("2") }])
  })
})

describe("standard input", () => {
  const readFrom = (stdin: Stdio.Stdio["stdin"], stdinIsTerminal = false) =>
    StoryKeys.read.pipe(
      Effect.provide(Stdio.layerTest({ stdin, stdinIsTerminal: Effect.succeed(stdinIsTerminal) }))
    )

  it.effect("is read to its end", () =>
    Effect.gen(function* () {
      const { pairs, origin } = yield* readFrom(Stream.make(bytes("a=1\nb"), bytes("=2\n")))
      expect(pairs.map(({ key }) => key)).toEqual(["a", "b"])
      expect(origin).toBe("from standard input")
    })
  )

  it.effect("that is empty, or a terminal, gives the built-in list", () =>
    Effect.gen(function* () {
      expect((yield* readFrom(Stream.empty)).origin).toContain("built-in list")
      expect((yield* readFrom(Stream.never, true)).origin).toContain("built-in list")
    })
  )

  it.effect("that stays silent for two seconds gives the built-in list", () =>
    Effect.gen(function* () {
      const reading = yield* Effect.forkChild(readFrom(Stream.never), { startImmediately: true })
      yield* TestClock.adjust(1_999)
      expect(reading.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      expect((yield* Fiber.join(reading)).origin).toContain("nothing came")
    })
  )

  it.effect("that has begun is waited for", () =>
    Effect.gen(function* () {
      const slow = Stream.concat(
        Stream.make(bytes("a=1\n")),
        Stream.fromEffect(Effect.as(Effect.sleep(60_000), bytes("b=2")))
      )
      const reading = yield* Effect.forkChild(readFrom(slow), { startImmediately: true })
      yield* TestClock.adjust(60_000)
      expect((yield* Fiber.join(reading)).pairs).toHaveLength(2)
    })
  )
})
