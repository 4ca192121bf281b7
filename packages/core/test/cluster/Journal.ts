/**
 * The machine of the cluster tests: a list of everything that was ever proposed, so that a test can see
 * what was applied, in which order, and how often.
 */
import * as Schema from "effect/Schema"
import * as StateMachine from "../../src/StateMachine.ts"

export class Journal extends StateMachine.Service<Journal>()("test/Journal", {
  command: Schema.String,
  /** How many commands stood before this one. */
  reply: Schema.Int,
  state: Schema.Array(Schema.String),
  initial: [],
  apply: (journal, command) => ({ state: [...journal, command], reply: journal.length })
}) {}
