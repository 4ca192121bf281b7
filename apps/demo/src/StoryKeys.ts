/**
 * The keys that the story writes: `key=value` lines from standard input, or a list of our own.
 *
 * Values are taken as the bytes they are, so that what is read back can be compared exactly. A terminal
 * is not read, and neither is a pipe on which nothing arrives for a while: the story should not wait for
 * somebody who does not know that it does.
 */
import { defaultMaxValueBytes } from "@effect-raft/kv/Kv"
import * as KvKey from "@effect-raft/kv/KvKey"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { type CommandFailed, fail, misuse } from "./ExitCode.ts"
import * as FileError from "./FileError.ts"

export interface KeyValue {
  readonly key: string
  readonly value: Uint8Array
}

export interface StoryKeys {
  readonly pairs: ReadonlyArray<KeyValue>
  /** "from standard input", or why not. */
  readonly origin: string
}

const builtIn: ReadonlyArray<KeyValue> = Object.entries({
  "paper/title": "In Search of an Understandable Consensus Algorithm",
  "paper/authors": "Diego Ongaro and John Ousterhout",
  "paper/year": "2014",
  "config/electionTimeoutMillis": "500",
  "greeting/de": "Grüß Gott"
}).map(([key, value]) => ({ key, value: new TextEncoder().encode(value) }))

/** How long standard input may be silent before the built-in list is taken. */
const silenceMillis = 2_000

/** Reads the keys, to the end of standard input. */
export const read: Effect.Effect<StoryKeys, CommandFailed, Stdio.Stdio> = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stdinIsTerminal) return { pairs: builtIn, origin: "of the built-in list" }
  const input = yield* readAll(stdio)
  if (input === undefined) {
    return {
      pairs: builtIn,
      origin: `of the built-in list, as nothing came on standard input for ${silenceMillis / 1000} s`
    }
  }
  const pairs = yield* parse(input)
  return pairs.length === 0
    ? { pairs: builtIn, origin: "of the built-in list, as standard input was empty" }
    : { pairs, origin: "from standard input" }
})

/** All of standard input, or nothing if it stays silent. */
const readAll = Effect.fnUntraced(
  function* (stdio: Stdio.Stdio) {
    const pull = yield* Stream.toPull(stdio.stdin)
    const chunks: Array<Uint8Array> = []
    const take = Effect.map(pull, (batch) => chunks.push(...batch))
    const toTheEnd = take.pipe(
      Effect.forever,
      Pull.catchDone(() => Effect.void)
    )
    const began = yield* take.pipe(
      Pull.catchDone(() => Effect.succeed(0)),
      Effect.timeoutOption(silenceMillis)
    )
    if (Option.isNone(began)) return undefined
    if (began.value > 0) yield* toTheEnd
    return Buffer.concat(chunks)
  },
  Effect.scoped,
  Effect.mapError((error) => fail(`Standard input cannot be read: ${FileError.describe(error)}`))
)

const lineFeed = 0x0a
const carriageReturn = 0x0d
const equalsSign = 0x3d

/** Reads `key=value` lines; a value may contain `=`, blank lines are skipped. */
export const parse = Effect.fnUntraced(function* (input: Uint8Array) {
  const pairs: Array<KeyValue> = []
  for (const [at, line] of linesOf(input).entries()) {
    if (new TextDecoder().decode(line).trim() === "") continue
    const pair = parseLine(line)
    if (typeof pair === "string") return yield* misuse(`Line ${at + 1} of standard input ${pair}`)
    pairs.push(pair)
  }
  return pairs
})

/** The pair of a line, or what is wrong with it. */
const parseLine = (line: Uint8Array): KeyValue | string => {
  const equals = line.indexOf(equalsSign)
  const key = equals < 1 ? undefined : decodeKey(line.subarray(0, equals))
  if (key === undefined) return `is not key=value: ${show(line)}`
  const problem = KvKey.problemWith(key)
  if (problem !== undefined) return `cannot be stored: ${problem}`
  const value = line.slice(equals + 1)
  return value.byteLength > defaultMaxValueBytes
    ? `cannot be stored: the value of ${key} takes ${value.byteLength} bytes, at most ${defaultMaxValueBytes} are allowed`
    : { key, value }
}

const linesOf = (input: Uint8Array): ReadonlyArray<Uint8Array> => {
  const lines: Array<Uint8Array> = []
  for (let start = 0; start < input.length;) {
    const end = input.indexOf(lineFeed, start)
    const stop = end === -1 ? input.length : end
    lines.push(input.subarray(start, input[stop - 1] === carriageReturn && stop > start ? stop - 1 : stop))
    start = stop + 1
  }
  return lines
}

const decodeKey = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Bytes as a person may read them, cut to a line's length. */
export const show = (bytes: Uint8Array): string => {
  const text = JSON.stringify(new TextDecoder().decode(bytes.subarray(0, 240)))
  return text.length > 60 ? `${text.slice(0, 56)}…" (${bytes.length} bytes)` : text
}

/** What must be there after all pairs were written in order. */
export const lastOfEach = (pairs: ReadonlyArray<KeyValue>): ReadonlyArray<KeyValue> =>
  Array.from(new Map(pairs.map((pair) => [pair.key, pair])).values())
