/**
 * Key-value histories as text: one JSON object per line, one line per client operation. `docs/history.md`
 * describes every field.
 *
 * ```json
 * {"client":1,"op":"cas","key":"k","value":"v","expected":"e","output":true,"call_ns":1,"return_ns":2,"status":"ok"}
 * ```
 */
import * as Effect from "effect/Effect"
import * as Ndjson from "effect/encoding/Ndjson"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import type { Outcome } from "./History.ts"
import type { KvInput, KvOperation, KvOutput } from "./KvModel.ts"

interface LineFields {
  readonly op: KvInput["op"]
  readonly value?: string
  readonly output?: KvOutput
  readonly call_ns: number
  readonly return_ns: number
  readonly status: "ok" | "fail" | "unknown"
}

const problemOf = ({ op, value, output, call_ns, return_ns, status }: LineFields): string | undefined => {
  if (return_ns < call_ns) return "return_ns must not be before call_ns"
  const writes = op === "put" || op === "append" || op === "cas"
  if (writes && value === undefined) return `a ${op} needs a value`
  if (status !== "ok") return undefined
  if (op === "get" && (output === undefined || typeof output === "boolean")) {
    return "a get that is ok needs its output, a text or null"
  }
  if (op === "cas" && typeof output !== "boolean") return "a cas that is ok needs its output, true or false"
  return op === "delete" && typeof output === "string"
    ? "the output of a delete is true, false or null"
    : undefined
}

/** One line as it stands in the file. */
export const Line = Schema.Struct({
  client: Schema.Int,
  op: Schema.Literals(["get", "put", "append", "cas", "delete"]),
  key: Schema.String,
  /** Of a put, an append and a cas. */
  value: Schema.optionalKey(Schema.String),
  /** Of a cas: the value that must be there; `null` or absent, that there is none. */
  expected: Schema.optionalKey(Schema.NullOr(Schema.String)),
  /** Of a get that is ok: the value or `null`. Of a cas: whether it swapped. Of a delete: whether it was there. */
  output: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.String, Schema.Boolean]))),
  call_ns: Schema.Finite,
  return_ns: Schema.Finite,
  status: Schema.Literals(["ok", "fail", "unknown"])
}).check(Schema.makeFilter(problemOf))
export type Line = typeof Line.Type

const fromLine = (line: Line): KvOperation => ({
  client: line.client,
  input: inputOf(line),
  callNanos: line.call_ns,
  returnNanos: line.return_ns,
  outcome: outcomeOf(line)
})

const inputOf = ({ op, key, value = "", expected = null }: Line): KvInput => {
  switch (op) {
    case "get":
    case "delete":
      return { op, key }
    case "put":
    case "append":
      return { op, key, value }
    case "cas":
      return { op, key, value, expected }
  }
}

const outcomeOf = ({ status, output = null }: Line): Outcome<KvOutput> => {
  if (status === "ok") return { _tag: "Ok", output }
  return { _tag: status === "fail" ? "Fail" : "Unknown" }
}

const statusOf = { Ok: "ok", Fail: "fail", Unknown: "unknown" } as const

const toLine = ({ client, input, outcome, callNanos, returnNanos }: KvOperation): Line => ({
  client,
  ...input,
  output: outcome._tag === "Ok" ? outcome.output : null,
  call_ns: callNanos,
  return_ns: returnNanos,
  status: statusOf[outcome._tag]
})

/** A line, read as an operation. */
export const FromLine = Line.pipe(
  Schema.decodeTo(
    Schema.declare((u): u is KvOperation => typeof u === "object" && u !== null && "outcome" in u),
    SchemaTransformation.transform({ decode: fromLine, encode: toLine })
  )
)

/** A line of a history that cannot be read. */
export class MalformedLine extends Schema.TaggedError<MalformedLine>()("MalformedLine", {
  /** Counted from 1. */
  line: Schema.Natural,
  detail: Schema.String
}) {
  override get message() {
    return `Line ${this.line} of the history cannot be read: ${this.detail}`
  }
}

/** A history as text, each line with its line feed. Fails with the line that cannot be written. */
export const encode = (operations: ReadonlyArray<KvOperation>): Effect.Effect<string, Schema.SchemaError> =>
  Stream.fromIterable(operations).pipe(
    Stream.mapEffect((operation) => Schema.encodeEffect(FromLine)(operation)),
    Stream.pipeThroughChannel(Ndjson.encodeString()),
    Stream.mkString,
    Effect.catchTag("NdjsonError", Effect.die)
  )

/** Reads a history. Empty lines are refused, but for what follows the last line feed. */
export const decode = (text: string): Effect.Effect<ReadonlyArray<KvOperation>, MalformedLine> =>
  Effect.suspend(() => {
    let line = 0
    return Stream.make(text).pipe(
      Stream.pipeThroughChannel(Ndjson.decodeString()),
      Stream.mapEffect((value) => {
        line++
        return Schema.decodeUnknownEffect(FromLine)(value)
      }),
      Stream.runCollect,
      Effect.catchTags({
        // What can be parsed before the line that cannot is handed on first.
        NdjsonError: () => Effect.fail(new MalformedLine({ line: line + 1, detail: "it is not JSON" })),
        SchemaError: (error) => Effect.fail(new MalformedLine({ line, detail: error.message }))
      })
    )
  })
