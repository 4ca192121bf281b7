/**
 * A proposal of a caller on this node: its slot, and the wait for it.
 */
import * as Effect from "effect/Effect"
import type { ProposalKind } from "../LogEntry.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RaftNode } from "../RaftNode.ts"
import type { Position, ProposalSlot } from "./ReplySlots.ts"

/** What a caller wants to wait for: a place in the leader's log, or the machine's reply. */
export type WaitFor = "Appended" | "Applied"

/** What somebody wants in the log. */
export type Proposal = Pick<ProposalSlot, "kind" | "payload">

/** What a client wants in the log. */
export type ClientProposal = Proposal & { readonly kind: ProposalKind }

export interface Outcome {
  readonly position: Position
  /** As for a slot; `undefined` when only the place was waited for. */
  readonly reply: unknown
}

/** Proposes and waits. Interrupting it gives the slot back; the command stays where it is. */
export const propose = (
  node: Pick<RaftNode<never>, "propose" | "abandon">,
  proposal: Proposal,
  waitFor: WaitFor
): Effect.Effect<Outcome, RaftErrorReason> =>
  Effect.callback((resume) => {
    const slot = new LocalSlot(proposal, waitFor, resume)
    node.propose(slot)
    return Effect.sync(() => slot.abandon(node.abandon))
  })

class LocalSlot implements ProposalSlot {
  readonly kind: Proposal["kind"]
  readonly payload: Uint8Array
  private readonly waitFor: WaitFor
  private readonly resume: (outcome: Effect.Effect<Outcome, RaftErrorReason>) => void
  private position: Position | undefined
  private isGivenUp = false

  constructor({ kind, payload }: Proposal, waitFor: WaitFor, resume: LocalSlot["resume"]) {
    this.kind = kind
    this.payload = payload
    this.waitFor = waitFor
    this.resume = resume
  }

  isAbandoned(): boolean {
    return this.isGivenUp
  }

  onAppended(position: Position): boolean {
    this.position = position
    if (this.waitFor === "Appended") this.resume(Effect.succeed({ position, reply: undefined }))
    return this.isGivenUp || this.waitFor === "Appended"
  }

  onApplied(position: Position, reply: unknown): void {
    this.resume(Effect.succeed({ position, reply }))
  }

  onFailed(reason: RaftErrorReason): void {
    this.resume(Effect.fail(reason))
  }

  abandon(forget: (index: Position["index"]) => void): void {
    this.isGivenUp = true
    if (this.position !== undefined) forget(this.position.index)
  }
}
