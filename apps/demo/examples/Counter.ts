/** The counter of the README, for the example that has it over TCP and in files. */
import { Schema } from "effect"
import { StateMachine } from "@effect-raft/core"

export class Counter extends StateMachine.Service<Counter>()("app/Counter", {
  command: Schema.TaggedUnion({ Increment: { by: Schema.Int }, Reset: {} }),
  reply: Schema.Int,
  state: Schema.Int,
  initial: 0,
  apply: (total, command) => {
    const next = command._tag === "Reset" ? 0 : total + command.by
    return { state: next, reply: next }
  }
}) {}
