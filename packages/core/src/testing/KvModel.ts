/**
 * What a key-value store does, for the checker: texts under keys, each key an object of its own.
 *
 * The narrowed model makes long histories feasible. Only an append changes a value without replacing it,
 * and it adds at the end; so a value that is the beginning of none that anybody saw can never be seen,
 * and all such values are one state, `Unseen`. An unknown write that leads there is left out, unless
 * someone was told that a value is *not* what they expected, for which any value would do.
 */
import type { Operation } from "./History.ts"
import type { Model, Need, Part } from "./linearizability/Model.ts"
import { Unknown } from "./linearizability/Model.ts"

export type KvInput =
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "put"; readonly key: string; readonly value: string }
  /** Adds to the end of the value; an absent key counts as empty. */
  | { readonly op: "append"; readonly key: string; readonly value: string }
  /** Writes `value` if the present one is `expected`; `null` expects that there is none. */
  | { readonly op: "cas"; readonly key: string; readonly expected: string | null; readonly value: string }
  | { readonly op: "delete"; readonly key: string }

/**
 * `get`: the value, or `null` where there is none. `cas`: whether it swapped. `delete`: whether there was
 * something, or `null` where that was not told. `put` and `append`: nothing that is looked at.
 */
export type KvOutput = string | boolean | null

export type KvOperation = Operation<KvInput, KvOutput>

/** A value that is there, and that no operation of the history can tell from others of its kind. */
const Unseen: unique symbol = Symbol("Unseen")

/** The value of one key; `null` where there is none. */
export type KvState = string | null | typeof Unseen

/** One model for every key; `check` splits the history by key. */
export const KvModel: Model<KvState, KvInput, KvOutput> = {
  initial: null,
  step: (state, input, output) => step(state, input, output, (text) => text),
  key: (state) => (typeof state === "string" ? `"${state}` : state === null ? "null" : "unseen"),
  partition: (operations) => byKey(operations),
  narrow: (operations) => narrow(operations),
  isReadOnly: (input, output) => isReadOnly(input, output),
  needs: (input, output) => needs(input, output),
  result: (input) => result(input, (text) => text),
  canGrow: (from, to) =>
    typeof to === "string" && (from === null || (typeof from === "string" && to.startsWith(from))),
  canComplete: (input, to) => input.op === "append" && typeof to === "string" && to.endsWith(input.value),
  inputKey: (input) => JSON.stringify(input),
  describe: (input, output) => describe(input, output),
  describeState: (state) =>
    state === Unseen ? "a value that nobody saw" : state === null ? "absent" : JSON.stringify(state)
}

const step = (
  state: KvState,
  input: KvInput,
  output: KvOutput | Unknown,
  stateOf: (text: string) => KvState
): KvState | undefined => {
  switch (input.op) {
    case "get":
      return output === Unknown || output === state ? state : undefined
    case "put":
      return stateOf(input.value)
    case "append":
      return state === Unseen ? Unseen : stateOf((state ?? "") + input.value)
    case "cas": {
      const swaps = state === input.expected
      if (output !== Unknown && (output !== false) !== swaps) return undefined
      return swaps ? stateOf(input.value) : state
    }
    case "delete":
      return typeof output === "boolean" && output !== (state !== null) ? undefined : null
  }
}

const isReadOnly = (input: KvInput, output: KvOutput | Unknown): boolean =>
  input.op === "get" || ((input.op === "cas" || input.op === "delete") && output === false)

const needs = (input: KvInput, output: KvOutput | Unknown): Need<KvState> => {
  switch (input.op) {
    case "get":
      return typeof output === "string" || output === null ? { _tag: "State", state: output } : anything
    case "put":
      return { _tag: "Nothing" }
    case "append":
      return anything
    case "cas":
      return output === false ? anything : { _tag: "State", state: input.expected }
    case "delete":
      if (output === false) return { _tag: "State", state: null }
      return output === true ? anything : { _tag: "Nothing" }
  }
}

const result = (input: KvInput, stateOf: (text: string) => KvState): KvState | undefined => {
  if (input.op === "put" || input.op === "cas") return stateOf(input.value)
  return input.op === "delete" ? null : undefined
}

const anything: Need<never> = { _tag: "Anything" }

const byKey = (operations: ReadonlyArray<KvOperation>): Array<Part<KvInput, KvOutput>> =>
  [...Map.groupBy(operations, ({ input }) => input.key)].map(([key, operations]) => ({
    name: `key ${JSON.stringify(key)}`,
    operations
  }))

const narrow = (operations: ReadonlyArray<KvOperation>): Model<KvState, KvInput, KvOutput> => {
  const seen = new SeenTexts(operations)
  const stateOf = (text: string): KvState => (seen.hasWithBeginning(text) ? text : Unseen)
  const keepsUnseen = operations.some(toleratesAny)
  return {
    ...KvModel,
    step: (state, input, output) => {
      const after = step(state, input, output, stateOf)
      return after === Unseen && output === Unknown && !keepsUnseen ? undefined : after
    },
    result: (input) => result(input, stateOf),
    inputKey: (input) => {
      const leadsNowhere =
        (input.op === "put" && !seen.hasWithBeginning(input.value)) ||
        (input.op === "append" && !seen.hasWithin(input.value))
      return leadsNowhere ? "unseen" : JSON.stringify(input)
    }
  }
}

/** Whether an operation was told only what the value is not. */
const toleratesAny = ({ input, outcome }: KvOperation): boolean =>
  outcome._tag === "Ok" &&
  ((input.op === "cas" && outcome.output === false) || (input.op === "delete" && outcome.output === true))

/** Every value that an operation of a history saw or asked for. */
class SeenTexts {
  /** Sorted, without those that are the beginning of another. */
  private readonly texts: ReadonlyArray<string>

  constructor(operations: ReadonlyArray<KvOperation>) {
    const all = new Set<string>()
    for (const { input, outcome } of operations) {
      if (input.op === "cas" && outcome._tag !== "Fail" && input.expected !== null) all.add(input.expected)
      if (input.op === "get" && outcome._tag === "Ok" && typeof outcome.output === "string") {
        all.add(outcome.output)
      }
    }
    this.texts = [...all].sort().filter((text, at, sorted) => sorted[at + 1]?.startsWith(text) !== true)
  }

  hasWithBeginning(beginning: string): boolean {
    let [low, high] = [0, this.texts.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.texts[middle]! < beginning) low = middle + 1
      else high = middle
    }
    return this.texts[low]?.startsWith(beginning) === true
  }

  hasWithin(part: string): boolean {
    return this.texts.some((text) => text.includes(part))
  }
}

const describe = (input: KvInput, output: KvOutput | Unknown): string => {
  const known = output !== Unknown
  switch (input.op) {
    case "get":
      return known ? `get → ${JSON.stringify(output)}` : "get"
    case "put":
    case "append":
      return `${input.op} ${JSON.stringify(input.value)}`
    case "cas": {
      const swap = `cas ${JSON.stringify(input.expected)} to ${JSON.stringify(input.value)}`
      return known ? `${swap} → ${output === false ? "not swapped" : "swapped"}` : swap
    }
    case "delete":
      return typeof output === "boolean" ? `delete → ${output ? "deleted" : "nothing there"}` : "delete"
  }
}
