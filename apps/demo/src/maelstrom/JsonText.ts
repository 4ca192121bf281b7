/**
 * JSON values as texts that can be compared.
 *
 * Keys and values of lin-kv are any JSON, and compare-and-set asks whether two are the same. Their
 * canonical text answers that: members in the order of their names, no spaces. It is also what the
 * machine stores, so that what a client wrote is never interpreted.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** The text that two JSON values share exactly if they are equal. Throws where it is nested too deeply. */
const canonicalText = (value: unknown): string => JSON.stringify(value, sortMembers)

const sortMembers = (_name: string, value: unknown): unknown =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))

const decode = (value: unknown): Effect.Effect<string, SchemaIssue.InvalidValue> =>
  Effect.try({
    try: () => canonicalText(value),
    catch: () => new SchemaIssue.InvalidValue({ message: "the value is nested too deeply" })
  })

/** From a parsed JSON value to its canonical text, and back. */
export const JsonText = Schema.Unknown.pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transformEffect({
      decode,
      encode: (text: string) => Effect.sync((): unknown => JSON.parse(text))
    })
  )
)
export type JsonText = typeof JsonText.Type

/** The value that a canonical text stands for. */
export const toValue = (text: JsonText): unknown => JSON.parse(text)
