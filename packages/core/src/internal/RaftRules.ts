/**
 * The rules that a node runs by: those of `consensus/`, always, but for one use. A test of the tests puts
 * broken rules in their place, and sees whether anybody notices.
 */
import * as Context from "effect/Context"
import * as Transition from "../consensus/Transition.ts"

export type Rules = typeof Transition.apply

export const RaftRules = Context.Reference<Rules>("@effect-raft/core/RaftRules", {
  defaultValue: () => Transition.apply
})
