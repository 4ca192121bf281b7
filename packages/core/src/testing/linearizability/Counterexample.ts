/**
 * A dead end as text: what came last before it, the state there, and what does not fit. The numbers in
 * brackets are the times of call and return in nanoseconds.
 */
import type { Operation } from "../History.ts"
import type { Model } from "./Model.ts"
import { Unknown } from "./Model.ts"
import type { DeadEnd } from "./Search.ts"

/** How many of the operations before the dead end are shown. */
const shownPlaced = 12

export const renderCounterexample = <State, Input, Output>(
  model: Model<State, Input, Output>,
  { placed, state, unplaced, overdue, needLater }: DeadEnd<State, Input, Output>
): string => {
  const shown = placed.slice(-shownPlaced)
  const hidden = placed.length - shown.length
  const describeState = model.describeState ?? ((state: State) => JSON.stringify(state))
  const line = (operation: Operation<Input, Output>) => `  ${describe(model, operation)}`
  return [
    `the longest order found has ${placed.length} operations${hidden > 0 ? `; after ${hidden} others` : ""}:`,
    ...shown.map(line),
    `the state is then: ${describeState(state)}`,
    "one of these must come next, and does not fit, or fits and leads nowhere:",
    ...unplaced.map((operation) => line(operation) + (operation === overdue ? "  (returns first)" : "")),
    ...(needLater.length === 0
      ? []
      : ["this state is needed by later operations too:", ...needLater.map(line)])
  ].join("\n")
}

const describe = <State, Input, Output>(
  model: Model<State, Input, Output>,
  { client, input, outcome, callNanos, returnNanos }: Operation<Input, Output>
): string => {
  const isKnown = outcome._tag === "Ok"
  const output = isKnown ? outcome.output : Unknown
  const what =
    model.describe?.(input, output) ??
    (isKnown ? `${JSON.stringify(input)} → ${JSON.stringify(output)}` : JSON.stringify(input))
  const when = isKnown ? `[${callNanos}, ${returnNanos}]` : `[${callNanos}, …] (outcome unknown)`
  return `${`client ${client}`.padEnd(10)} ${what}  ${when}`
}
