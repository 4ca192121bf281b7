/**
 * What a leader does when its program closes it: it hands over, so that the others do not wait for an election
 * timeout (thesis, section 3.10). The whole node still runs meanwhile.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LeadershipTransfer from "../consensus/LeadershipTransfer.ts"
import type { NodeState, Stamp } from "../consensus/NodeState.ts"
import type { OperatorCalls } from "./OperatorCalls.ts"

/** Hands over where that is possible, and ends in any case, within an election timeout. */
export const say = (
  state: NodeState,
  stamp: Stamp,
  operators: Pick<OperatorCalls, "transferLeadership">
): Effect.Effect<void> =>
  LeadershipTransfer.bestSuccessor(state, stamp) === undefined
    ? Effect.void
    : operators
        .transferLeadership(null)
        .pipe(Effect.timeoutOption(state.config.electionTimeoutMillis), Effect.ignore)

/** A program that dies of a mistake of its own is not trusted with a farewell. */
export const isDue = (exit: Exit.Exit<unknown, unknown>): boolean =>
  !(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
