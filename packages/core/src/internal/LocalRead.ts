/**
 * The wait of a caller on this node who wants to look at the state.
 */
import * as Effect from "effect/Effect"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RaftNode } from "../RaftNode.ts"

/** Waits until a read may be answered from the node's view. Interrupting it gives the slot back. */
export const readable = <View>(
  node: RaftNode<View>,
  options: { readonly mayUseLease: boolean } = { mayUseLease: false }
): Effect.Effect<void, RaftErrorReason> =>
  Effect.callback((resume) => {
    const readId = node.read(
      (refusal) => resume(refusal === undefined ? Effect.void : Effect.fail(refusal)),
      options
    )
    return Effect.sync(() => node.forgetRead(readId))
  })
