/**
 * One part of a history decided: first the quick proof that there is no order, then the search for one.
 */
import type { Operation } from "../History.ts"
import { Demand } from "./Demand.ts"
import type { Model } from "./Model.ts"
import type { DeadEnd, Found } from "./Search.ts"
import { search } from "./Search.ts"
import * as Workload from "./Workload.ts"
import { findContradiction } from "./Zones.ts"

export const decide = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  maxSteps: number
): Found<State, Input, Output> => {
  const narrowed = model.narrow?.(operations) ?? model
  const workload = Workload.make(narrowed, operations)
  const demand = new Demand(narrowed, workload)
  const contradiction = findContradiction(workload, demand.unique())
  if (contradiction === undefined) return search(narrowed, workload, demand, maxSteps)
  const { operation } = workload.required[contradiction]!
  const { steps, longest } = upTo(model, operations, operation, maxSteps)
  return { _tag: "NoOrder", steps, longest }
}

/**
 * The dead end at an operation that surely fits nowhere: an order of everything called before it, where
 * what had not returned by then may have happened or not. Where there is no such order, that is the dead end.
 */
const upTo = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  last: Operation<Input, Output>,
  maxSteps: number
): { readonly steps: number; readonly longest: DeadEnd<State, Input, Output> } => {
  const originals = new Map<Operation<Input, Output>, Operation<Input, Output>>()
  const before = operations
    .filter(({ callNanos }) => callNanos < last.callNanos)
    .map((operation) => {
      if (operation.outcome._tag !== "Ok" || operation.returnNanos < last.callNanos) return operation
      const open: Operation<Input, Output> = { ...operation, outcome: { _tag: "Unknown" } }
      originals.set(open, operation)
      return open
    })
  const found = decide(model, before, maxSteps)
  const asRecorded = (placed: ReadonlyArray<Operation<Input, Output>>) =>
    placed.map((operation) => originals.get(operation) ?? operation)
  if (found._tag === "NoOrder") {
    return { steps: found.steps, longest: { ...found.longest, placed: asRecorded(found.longest.placed) } }
  }
  const end = { unplaced: [last], overdue: last, needLater: [] }
  return {
    steps: found.steps,
    longest:
      found._tag === "Order"
        ? { ...end, placed: asRecorded(found.order), state: found.state }
        : { ...end, placed: [], state: model.initial }
  }
}
