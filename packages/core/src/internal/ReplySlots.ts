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
import { Numbered } from "./Numbered.ts"

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

interface Placed extends Position {
  readonly slot: ProposalSlot
}

export class ReplySlots {
  private readonly byIndex = new Numbered<Placed>()

  get size(): number {
    return this.byIndex.size
  }

  add({ index, term }: Position, slot: ProposalSlot): void {
    if (!slot.onAppended({ index, term })) this.byIndex.put(index, { index, term, slot })
  }

  /** Gives out the slot of an entry that is being applied. */
  take(position: Position): ProposalSlot | undefined {
    if (this.byIndex.size === 0) return undefined
    const placed = this.byIndex.take(position.index)
    if (placed === undefined || placed.term === position.term) return placed?.slot
    lose(placed)
    return undefined
  }

  /** The caller of the entry at `index` has gone. */
  forget(index: LogIndex.LogIndex): void {
    this.byIndex.take(index)
  }

  /** This node is no longer the leader that took them: what is not committed may be, or may never be. */
  failAfter(commitIndex: LogIndex.LogIndex): void {
    this.byIndex.takeWhere(({ index }) => index > commitIndex).forEach(lose)
  }

  /** A snapshot has taken the place of the entries up to `index`: what became of each is not known here. */
  failUpTo(index: LogIndex.LogIndex): void {
    this.byIndex.takeWhile((placed) => placed.index <= index).forEach(lose)
  }

  /** The node ends. */
  failAll(): void {
    this.byIndex.takeWhile(() => true).forEach(lose)
  }
}

const lose = ({ index, slot, term }: Placed): void =>
  slot.onFailed(
    new OutcomeUnknown({
      index,
      term,
      detail: "the leader that took the command lost its office before it was committed"
    })
  )
