/**
 * Whether a history could have come from one copy of an object, each operation at one moment between its
 * call and its return (Herlihy and Wing, 1990).
 *
 * ```ts
 * const verdict = Linearizability.check(KvModel, operations)
 * assert.strictEqual(verdict._tag, "Linearizable", Linearizability.render(KvModel, verdict))
 * ```
 *
 * The question is NP-complete, so the search has a bound, and says `TooHard` where it meets it. See
 * `linearizability/Search` for how it looks, `KvModel` and `RegisterModel` for what to look at.
 */
import type { Operation } from "./History.ts"
import { renderCounterexample } from "./linearizability/Counterexample.ts"
import { decide } from "./linearizability/Decide.ts"
import type { Model, Part } from "./linearizability/Model.ts"
import type { DeadEnd } from "./linearizability/Search.ts"
import { isWitness } from "./linearizability/Witness.ts"

export { Unknown } from "./linearizability/Model.ts"
export type { Model, Need, Part } from "./linearizability/Model.ts"
export type { DeadEnd } from "./linearizability/Search.ts"

export type Verdict<State, Input, Output> =
  | { readonly _tag: "Linearizable"; readonly steps: number }
  | {
      readonly _tag: "NotLinearizable"
      /** The name of the part, such as the key, that has no order. */
      readonly partition: string
      /** The longest order found, and what does not fit after it. */
      readonly counterexample: DeadEnd<State, Input, Output>
      readonly steps: number
    }
  | {
      readonly _tag: "TooHard"
      /** The name of the first part for which the bound was too small. */
      readonly partition: string
      readonly steps: number
    }

export interface Options<Input = never, Output = never> {
  /**
   * An order in which the operations may have taken effect, those that did not left out. Where it holds there is
   * nothing to search for; where it does not, the verdict is as without it (see `linearizability/Witness`).
   */
  readonly order?: ReadonlyArray<Operation<Input, Output>>
  /**
   * How often the model may be asked for a step, for each part. Default 5,000,000: some seconds, and at
   * the very worst about 1 GB of memory.
   */
  readonly maxSteps?: number
}

const defaultMaxSteps = 5_000_000

/**
 * Checks every part of a history. Operations with outcome `Fail` are left out; `Unknown` ones may take
 * effect at any time after their call, or never. A part that surely has no order outranks one that was
 * too hard. Throws a `RangeError` where an operation returns before its call.
 */
export const check = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>,
  options?: Options<Input, Output>
): Verdict<State, Input, Output> => {
  checkTimes(operations)
  let steps = 0
  let tooHard: string | undefined
  const orders = new Map(partsOf(model, options?.order ?? []).map((part) => [part.name, part.operations]))
  for (const part of partsOf(model, operations)) {
    const order = orders.get(part.name)
    if (order !== undefined && isWitness(model, part.operations, order)) {
      steps += order.length
      continue
    }
    const found = decide(model, part.operations, options?.maxSteps ?? defaultMaxSteps)
    steps += found.steps
    if (found._tag === "NoOrder") {
      return { _tag: "NotLinearizable", partition: part.name, counterexample: found.longest, steps }
    }
    if (found._tag === "OutOfSteps") tooHard ??= part.name
  }
  return tooHard === undefined
    ? { _tag: "Linearizable", steps }
    : { _tag: "TooHard", partition: tooHard, steps }
}

/** A verdict in words, for the message of a failing test. */
export const render = <State, Input, Output>(
  model: Model<State, Input, Output>,
  verdict: Verdict<State, Input, Output>
): string => {
  switch (verdict._tag) {
    case "Linearizable":
      return "Linearizable"
    case "TooHard":
      return `Not decided within the bound on steps: ${verdict.partition}. Raise maxSteps, or record less.`
    case "NotLinearizable":
      return `Not linearizable: ${verdict.partition}\n${renderCounterexample(model, verdict.counterexample)}`
  }
}

const partsOf = <State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: ReadonlyArray<Operation<Input, Output>>
): ReadonlyArray<Part<Input, Output>> => model.partition?.(operations) ?? [{ name: "the object", operations }]

const checkTimes = (operations: ReadonlyArray<Operation<unknown, unknown>>): void => {
  for (const { client, callNanos, returnNanos } of operations) {
    if (!(callNanos <= returnNanos)) {
      throw new RangeError(
        `An operation of client ${client} is called at ${callNanos} ns and returns at ${returnNanos} ns`
      )
    }
  }
}
