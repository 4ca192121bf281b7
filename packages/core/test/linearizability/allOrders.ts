/**
 * Linearizability as it is defined, with no cleverness at all: is there any order of any set of the
 * operations that contains every answered one, respects real time, and that one object could have had?
 */
import type { Operation } from "@effect-raft/core/testing/History"
import type { Model } from "@effect-raft/core/testing/Linearizability"
import { Unknown } from "@effect-raft/core/testing/Linearizability"

export const allOrders = <State, Input, Output>(
  { initial, step }: Pick<Model<State, Input, Output>, "initial" | "step">,
  operations: ReadonlyArray<Operation<Input, Output>>
): boolean => {
  const extend = (state: State, left: ReadonlyArray<Operation<Input, Output>>): boolean => {
    const required = left.filter(({ outcome }) => outcome._tag === "Ok")
    if (required.length === 0) return true
    return left.some((operation) => {
      const isTooEarly = required.some(({ returnNanos }) => returnNanos < operation.callNanos)
      if (isTooEarly || operation.outcome._tag === "Fail") return false
      const output = operation.outcome._tag === "Ok" ? operation.outcome.output : Unknown
      const after = step(state, operation.input, output)
      return (
        after !== undefined &&
        extend(
          after,
          left.filter((other) => other !== operation)
        )
      )
    })
  }
  return extend(initial, operations)
}
