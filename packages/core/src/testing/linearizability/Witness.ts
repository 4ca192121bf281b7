/**
 * A quick proof that an order exists: one that somebody proposes is looked at.
 *
 * To find an order is hard, to check one is not. Who has recorded a history often knows in which order its
 * operations took effect, by a revision or a place in a log. That may be wrong, so it proves nothing by itself;
 * but if every operation fits where it stands, and none stands behind one that was called only after it had
 * returned, the history is linearizable (Herlihy and Wing, 1990: the definition). If not, there may be another
 * order, and the search looks for it.
 */
import type { Operation } from "../History.ts"
import type { Model } from "./Model.ts"
import { Unknown } from "./Model.ts"

/** Whether all of `operations` that are known to have happened stand in `order`, and can have taken effect in it. */
export const isWitness = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  order: ReadonlyArray<Operation<Input, Output>>
): boolean => isComplete(operations, order) && takesEffect(model, order)

const isComplete = <Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  order: ReadonlyArray<Operation<Input, Output>>
): boolean => {
  const ordered = new Set(order)
  if (ordered.size !== order.length) return false
  let found = 0
  for (const operation of operations) {
    if (ordered.has(operation)) found += 1
    else if (operation.outcome._tag === "Ok") return false
  }
  return found === order.length
}

const takesEffect = <State, Input, Output>(
  model: Model<State, Input, Output>,
  order: ReadonlyArray<Operation<Input, Output>>
): boolean => {
  let state = model.initial
  let lastCallNanos = Number.NEGATIVE_INFINITY
  for (const { callNanos, input, outcome, returnNanos } of order) {
    // It surely did not happen.
    if (outcome._tag === "Fail") return false
    // Nobody knows when an unknown one happened, but not before its call.
    if (outcome._tag === "Ok" && returnNanos < lastCallNanos) return false
    lastCallNanos = Math.max(lastCallNanos, callNanos)
    const after = model.step(state, input, outcome._tag === "Ok" ? outcome.output : Unknown)
    if (after === undefined) return false
    state = after
  }
  return true
}
