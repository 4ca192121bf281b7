/**
 * Who waits to read. A slot is opened when the call begins, named by a number that the rules carry
 * around, and filled when the state may be looked at, or when nobody will confirm it any more.
 */
import type { LogIndex } from "../LogIndex.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import { Numbered } from "./Numbered.ts"

/** Somebody who waits to read. It is either confirmed or refused, once, unless it is forgotten before. */
export interface ReadWait {
  /** The read has begun and is not confirmed yet: whoever likes looks already (see EarlyLooks). */
  readonly lookEarly?: () => void
  /** Everything that the read must see, which ends at `readIndex`, is applied. */
  readonly confirmed: (readIndex: LogIndex) => void
  readonly refused: (reason: RaftErrorReason) => void
}

interface ReadSlot {
  readonly openedMillis: number
  readonly wait: ReadWait
}

export class ReadSlots {
  private readonly byId = new Numbered<ReadSlot>()
  private readonly tooLate: () => RaftErrorReason

  /** `tooLate` is said to those who have waited too long. */
  constructor(tooLate: () => RaftErrorReason) {
    this.tooLate = tooLate
  }

  get size(): number {
    return this.byId.size
  }

  /** Opens a slot and gives its number. */
  open(nowMillis: number, wait: ReadWait): number {
    return this.byId.add({ openedMillis: nowMillis, wait })
  }

  /** Who waits under this number, if anybody still does. */
  waitOf(readId: number): ReadWait | undefined {
    return this.byId.get(readId)?.wait
  }

  /** The caller has gone. */
  forget(readId: number): void {
    this.byId.take(readId)
  }

  confirm(readIds: ReadonlyArray<number>, readIndex: LogIndex): void {
    for (const readId of readIds) this.byId.take(readId)?.wait.confirmed(readIndex)
  }

  fail(readIds: ReadonlyArray<number>, reason: RaftErrorReason): void {
    for (const readId of readIds) this.byId.take(readId)?.wait.refused(reason)
  }

  /** Gives up what was opened at `sinceMillis` or before: this node lags too far behind to answer. */
  expire(sinceMillis: number): void {
    // Slots stand in the order in which they were opened.
    for (const { wait } of this.byId.takeWhile(({ openedMillis }) => openedMillis <= sinceMillis)) {
      wait.refused(this.tooLate())
    }
  }

  /** When the first of those that still wait was opened. */
  oldestMillis(): number | undefined {
    return this.byId.oldest()?.openedMillis
  }

  failAll(reason: RaftErrorReason): void {
    for (const { wait } of this.byId.takeWhile(() => true)) wait.refused(reason)
  }
}
