/**
 * A machine for the tests of clients: it counts, and can be asked from elsewhere.
 */
import * as Schema from "effect/Schema"
import * as StateMachine from "../../src/StateMachine.ts"

export class Tally extends StateMachine.Service<Tally>()("test/Tally", {
  command: Schema.String.check(Schema.isMaxLength(20_000)),
  /** How many commands there are, this one included. */
  reply: Schema.Int,
  state: Schema.Array(Schema.String),
  initial: [],
  apply: (all, command) => ({ state: [...all, command], reply: all.length + 1 }),
  queries: {
    query: Schema.TaggedUnion({ Count: {}, Times: { command: Schema.String } }),
    answer: Schema.Int,
    ask: (all, query) =>
      query._tag === "Count" ? all.length : all.filter((command) => command === query.command).length
  }
}) {}
