/**
 * A single register for the checker, with the operations of Maelstrom's lin-kv: read, write, and
 * compare-and-set.
 */
import type { Model } from "./linearizability/Model.ts"
import { Unknown } from "./linearizability/Model.ts"

/** `null` is the register before its first write. */
export type RegisterValue = string | number | boolean | null

export type RegisterInput =
  | { readonly op: "read" }
  | { readonly op: "write"; readonly value: RegisterValue }
  | { readonly op: "cas"; readonly from: RegisterValue; readonly to: RegisterValue }

/** `read`: the value. `cas`: whether it swapped. `write`: nothing that is looked at. */
export type RegisterOutput = RegisterValue

export const RegisterModel: Model<RegisterValue, RegisterInput, RegisterOutput> = {
  initial: null,
  step: (state, input, output) => {
    switch (input.op) {
      case "read":
        return output === Unknown || output === state ? state : undefined
      case "write":
        return input.value
      case "cas": {
        const swaps = state === input.from
        if (output !== Unknown && (output !== false) !== swaps) return undefined
        return swaps ? input.to : state
      }
    }
  },
  key: (state) => JSON.stringify(state),
  isReadOnly: (input, output) => input.op === "read" || (input.op === "cas" && output === false),
  needs: (input, output) => {
    if (input.op === "write") return { _tag: "Nothing" }
    if (input.op === "cas") {
      return output === false ? { _tag: "Anything" } : { _tag: "State", state: input.from }
    }
    return output === Unknown ? { _tag: "Anything" } : { _tag: "State", state: output }
  },
  result: (input) => (input.op === "write" ? input.value : input.op === "cas" ? input.to : undefined),
  inputKey: (input) => JSON.stringify(input),
  describe: (input, output) => {
    const text = (value: RegisterValue) => JSON.stringify(value)
    if (input.op === "write") return `write ${text(input.value)}`
    const asked = input.op === "read" ? "read" : `cas ${text(input.from)} to ${text(input.to)}`
    return output === Unknown ? asked : `${asked} → ${text(output)}`
  }
}
