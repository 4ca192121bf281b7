/**
 * A history as the search wants it: what must be placed, what may be, and what the model says of each.
 */
import type { Operation } from "../History.ts"
import type { Model, Need } from "./Model.ts"
import { Unknown } from "./Model.ts"

interface Known<State> {
  readonly isReadOnly: boolean
  readonly need: Need<State>
  /** The state after it, where that is the same from every state. */
  readonly result: State | undefined
}

/** An operation whose place in the order must be found. */
export interface Required<State, Input, Output> extends Known<State> {
  readonly operation: Operation<Input, Output>
  readonly output: Output
}

/** Operations of unknown outcome that do the same, in the order of their calls. */
export interface Optional<State, Input, Output> extends Known<State> {
  readonly operations: Array<Operation<Input, Output>>
  /** The first of them in a set of used operations; the others follow. */
  firstBit: number
}

export interface Workload<State, Input, Output> {
  readonly required: ReadonlyArray<Required<State, Input, Output>>
  readonly optional: ReadonlyArray<Optional<State, Input, Output>>
  /** How many operations there are in all of `optional`. */
  readonly optionalCount: number
}

export const make = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>
): Workload<State, Input, Output> => {
  const optional = optionalOf(model, operations)
  let optionalCount = 0
  for (const group of optional) {
    group.firstBit = optionalCount
    optionalCount += group.operations.length
  }
  return { required: requiredOf(model, operations), optional, optionalCount }
}

const requiredOf = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>
): Array<Required<State, Input, Output>> =>
  operations.flatMap((operation) => {
    const { input, outcome } = operation
    return outcome._tag === "Ok"
      ? [{ operation, output: outcome.output, ...ask(model, input, outcome.output) }]
      : []
  })

/** Those that change nothing are left out: nobody can tell whether they happened. */
const optionalOf = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>
): Array<Optional<State, Input, Output>> => {
  const groups = new Map<string, Optional<State, Input, Output>>()
  const byCall = operations
    .filter(({ outcome }) => outcome._tag === "Unknown")
    .sort((a, b) => a.callNanos - b.callNanos)
  for (const [position, operation] of byCall.entries()) {
    const key = model.inputKey?.(operation.input) ?? `${position}`
    const group = groups.get(key)
    if (group !== undefined) group.operations.push(operation)
    else groups.set(key, { operations: [operation], firstBit: 0, ...ask(model, operation.input, Unknown) })
  }
  return [...groups.values()].filter(({ isReadOnly }) => !isReadOnly)
}

const ask = <State, Input, Output>(
  model: Model<State, Input, Output>,
  input: Input,
  output: Output | Unknown
): Known<State> => ({
  isReadOnly: model.isReadOnly?.(input, output) ?? false,
  need: model.needs?.(input, output) ?? { _tag: "Anything" },
  result: model.result?.(input, output)
})
