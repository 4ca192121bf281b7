/**
 * The machine under which the bugs are planted: texts under keys. Every command answers with what stood
 * there before, so that two nodes whose states differ soon answer differently.
 */
import * as Schema from "effect/Schema"
import * as StateMachine from "../../src/StateMachine.ts"

const Text = Schema.NullOr(Schema.String)

const Command = Schema.TaggedUnion({
  Put: { key: Schema.String, value: Schema.String },
  /** Adds to the end; an absent key counts as empty. */
  Append: { key: Schema.String, value: Schema.String },
  /** Writes `value` where `expected` stands; `null` expects that there is nothing. */
  Cas: { key: Schema.String, expected: Text, value: Schema.String }
})
export type Command = typeof Command.Type

export type Texts = Readonly<Record<string, string>>

export class Shelf extends StateMachine.Service<Shelf>()("test/Shelf", {
  command: Command,
  /** What stood there before. */
  reply: Text,
  state: Schema.Record(Schema.String, Schema.String),
  initial: {},
  apply: (texts, command) => {
    const { key, value } = command
    const before = texts[key] ?? null
    if (command._tag === "Cas" && before !== command.expected) return { state: texts, reply: before }
    const after = command._tag === "Append" ? (before ?? "") + value : value
    return { state: { ...texts, [key]: after }, reply: before }
  }
}) {}
