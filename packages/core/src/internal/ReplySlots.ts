/**
 * Who waits for which entry.
 *
 * A slot is a caller's place: it is filled once, with the machine's reply or with the reason why there is
 * none. Slots of proposals that are in the log stand here by index until the entry is applied, or until
 * this node loses the office in which it took them.
 */
import type { ProposalKind } from "../LogEntry.ts"
import type * as LogIndex from "../LogIndex.ts"
import { OutcomeUnknown } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { Term } from "../Term.ts"

/** Where a command stands in the log. */
export interface Position {
  readonly index: LogIndex.LogIndex
  readonly term: Term
}

/** A command and those who wait for it. All functions are synchronous; the last two end the wait. */
export interface ProposalSlot {
  /** A client's, or the node's own. */
  readonly kind: ProposalKind | "Upgrade"
  /** The encoded command, the session's record, or the machine's version. */
  readonly payload: Uint8Array
  /** The caller gave up; nobody looks at the outcome any more. */
  readonly isAbandoned: () => boolean
  /** It is in this leader's log; nothing is promised yet. `true` when that is all the caller wanted. */
  readonly onAppended: (position: Position) => boolean
  /** `reply` is the machine's, or a session's `SessionAnswer`. */
  readonly onApplied: (position: Position, reply: unknown) => void
  readonly onFailed: (reason: RaftErrorReason) => void
}

export class ReplySlots {
  private readonly byIndex = new Map<
    LogIndex.LogIndex,
    { readonly slot: ProposalSlot; readonly term: Term }
  >()

  get size(): number {
    return this.byIndex.size
  }

  add(position: Position, slot: ProposalSlot): void {
    if (!slot.onAppended(position)) this.byIndex.set(position.index, { slot, term: position.term })
  }

  /** Gives out the slot of an entry that is being applied. */
  take(position: Position): ProposalSlot | undefined {
    if (this.byIndex.size === 0) return undefined
    const waiting = this.byIndex.get(position.index)
    if (waiting === undefined) return undefined
    this.byIndex.delete(position.index)
    if (waiting.term === position.term) return waiting.slot
    waiting.slot.onFailed(unknown({ index: position.index, term: waiting.term }))
    return undefined
  }

  /** The caller of the entry at `index` has gone. */
  forget(index: LogIndex.LogIndex): void {
    this.byIndex.delete(index)
  }

  /** This node is no longer the leader that took them: what is not committed may be, or may never be. */
  failAfter(commitIndex: LogIndex.LogIndex): void {
    const lost = Array.from(this.byIndex).filter(([index]) => index > commitIndex)
    for (const [index] of lost) this.byIndex.delete(index)
    for (const [index, { slot, term }] of lost) slot.onFailed(unknown({ index, term }))
  }

  /** A snapshot has taken the place of the entries up to `index`: what became of each is not known here. */
  failUpTo(index: LogIndex.LogIndex): void {
    const lost = Array.from(this.byIndex).filter(([at]) => at <= index)
    for (const [at] of lost) this.byIndex.delete(at)
    for (const [at, { slot, term }] of lost) slot.onFailed(unknown({ index: at, term }))
  }

  /** The node ends. */
  failAll(): void {
    const all = Array.from(this.byIndex)
    this.byIndex.clear()
    for (const [index, { slot, term }] of all) slot.onFailed(unknown({ index, term }))
  }
}

const unknown = (position: Position) =>
  new OutcomeUnknown({
    ...position,
    detail: "the leader that took the command lost its office before it was committed"
  })
