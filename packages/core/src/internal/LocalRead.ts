/**
 * A read as a call: the wait of a caller on this node who wants to look at the state.
 *
 * Mostly a leader is known, here or elsewhere, and confirms the read at the first try: that is one wait and nothing
 * around it. Where there is none, or it is none any more, the read goes the way of all calls that look for a leader.
 */
import * as Effect from "effect/Effect"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"
import * as Routing from "./Routing.ts"

export interface Options {
  readonly mayUseLease: boolean
}

/** Looks at the state as soon as a read may be answered from it. Interrupting it gives the slot back. */
export const read = <View, A>(
  node: RunningNode<View>,
  look: (view: View) => A,
  options: Options
): Effect.Effect<A, RaftErrorReason> =>
  Effect.suspend(() => {
    const beganMillis = node.nowMillis()
    return once(node, look, options, (reason) =>
      reason._tag === "NotLeader"
        ? Routing.atLeader(node, () => once(node, look, options, Effect.fail), beganMillis)
        : Effect.fail(reason)
    )
  })

/** One try. */
const once = <View, A>(
  node: RunningNode<View>,
  look: (view: View) => A,
  options: Options,
  onRefused: (reason: RaftErrorReason) => Effect.Effect<A, RaftErrorReason>
): Effect.Effect<A, RaftErrorReason> =>
  Effect.callback((resume) => {
    const readId = node.read(
      {
        confirmed: () => resume(Effect.sync(() => look(node.view()))),
        refused: (reason) => resume(onRefused(reason))
      },
      options
    )
    return Effect.sync(() => node.forgetRead(readId))
  })
