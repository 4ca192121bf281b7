/**
 * A proposal of a caller on this node: its slot, and the wait for it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RaftNode } from "../RaftNode.ts"
import type { Position, ProposalSlot } from "./ReplySlots.ts"

/** What a caller wants to wait for: a place in the leader's log, or the machine's reply. */
export type WaitFor = "Appended" | "Applied"

/** What a client wants in the log. */
export type Proposal = Pick<ProposalSlot, "kind" | "payload">

export interface Outcome {
  readonly position: Position
  /** As for a slot; `undefined` when only the place was waited for. */
  readonly reply: unknown
}

/** Proposes and waits. Interrupting it gives the slot back; the command stays where it is. */
export const propose = <View>(
  node: RaftNode<View>,
  { kind, payload }: Proposal,
  waitFor: WaitFor
): Effect.Effect<Outcome, RaftErrorReason> =>
  Effect.suspend(() => {
    const outcome = Deferred.makeUnsafe<Outcome, RaftErrorReason>()
    let position: Position | undefined
    let isAbandoned = false
    const slot: ProposalSlot = {
      kind,
      payload,
      isAbandoned: () => isAbandoned,
      onAppended: (at) => {
        position = at
        if (isAbandoned) return true
        if (waitFor === "Appended")
          Deferred.doneUnsafe(outcome, Exit.succeed({ position: at, reply: undefined }))
        return waitFor === "Appended"
      },
      onApplied: (at, reply) => {
        Deferred.doneUnsafe(outcome, Exit.succeed({ position: at, reply }))
      },
      onFailed: (reason) => {
        Deferred.doneUnsafe(outcome, Exit.fail(reason))
      }
    }
    node.propose(slot)
    return Effect.onInterrupt(Deferred.await(outcome), () =>
      Effect.sync(() => {
        isAbandoned = true
        if (position !== undefined) node.abandon(position.index)
      })
    )
  })
