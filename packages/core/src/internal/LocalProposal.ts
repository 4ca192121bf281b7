/**
 * A proposal of a caller on this node: its slot, and the wait for it.
 */
import * as Effect from "effect/Effect"
import type { ProposalKind } from "../LogEntry.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"
import type { Position, ProposalSlot } from "./ReplySlots.ts"

/** What somebody wants in the log. */
export type Proposal = Pick<ProposalSlot, "kind" | "payload">

/** What a client wants in the log. */
export type ClientProposal = Proposal & { readonly kind: ProposalKind }

/** What the caller makes of what becomes of its proposal. */
export interface Ending<A, E> {
  /** Where it is there the wait ends when the proposal is in this leader's log, and not when it is applied. */
  readonly onAppended?: (position: Position) => A
  /** `reply` is as for a slot. */
  readonly onApplied: (position: Position, reply: unknown) => A
  readonly onFailed: (reason: RaftErrorReason) => Effect.Effect<A, E>
}

/** For those who want to know no more than where it stands, applied. */
export const untilApplied: Ending<Position, RaftErrorReason> = {
  onApplied: ({ index, term }) => ({ index, term }),
  onFailed: Effect.fail
}

/** For those who wait for the place in the log only. */
export const untilAppended: Ending<Position, RaftErrorReason> = {
  ...untilApplied,
  onAppended: (position) => position
}

/** Proposes and waits. Interrupting it gives the slot back; the command stays where it is. */
export const propose = <A, E>(
  node: Pick<RunningNode<never>, "propose" | "abandon">,
  proposal: Proposal,
  ending: Ending<A, E>
): Effect.Effect<A, E> =>
  Effect.callback((resume) => {
    const slot = new LocalSlot(proposal, ending, resume)
    node.propose(slot)
    return Effect.sync(() => slot.abandon(node.abandon))
  })

class LocalSlot<A, E> implements ProposalSlot {
  readonly kind: Proposal["kind"]
  readonly payload: Uint8Array
  private readonly ending: Ending<A, E>
  private readonly resume: (outcome: Effect.Effect<A, E>) => void
  private position: Position | undefined
  private isGivenUp = false

  constructor({ kind, payload }: Proposal, ending: Ending<A, E>, resume: LocalSlot<A, E>["resume"]) {
    this.kind = kind
    this.payload = payload
    this.ending = ending
    this.resume = resume
  }

  isAbandoned(): boolean {
    return this.isGivenUp
  }

  onAppended(position: Position): boolean {
    this.position = position
    const { onAppended } = this.ending
    if (onAppended !== undefined) this.resume(Effect.succeed(onAppended(position)))
    return this.isGivenUp || onAppended !== undefined
  }

  onApplied(position: Position, reply: unknown): void {
    this.resume(Effect.succeed(this.ending.onApplied(position, reply)))
  }

  onFailed(reason: RaftErrorReason): void {
    this.resume(this.ending.onFailed(reason))
  }

  abandon(forget: (index: Position["index"]) => void): void {
    this.isGivenUp = true
    if (this.position !== undefined) forget(this.position.index)
  }
}
