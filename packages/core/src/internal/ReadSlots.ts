/**
 * Who waits to read. A slot is opened when the call begins, named by a number that the rules carry
 * around, and filled when the state may be looked at, or when nobody will confirm it any more.
 */
import type { RaftErrorReason } from "../RaftError.ts"
import { Numbered } from "./Numbered.ts"

/** Ends the wait: without a reason when everything that the read must see is applied. */
export type ReadDone = (refusal: RaftErrorReason | undefined) => void

interface ReadSlot {
  readonly openedMillis: number
  readonly done: ReadDone
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

  /** Opens a slot and gives its number. `done` is called once, unless the slot is forgotten before. */
  open(nowMillis: number, done: ReadDone): number {
    return this.byId.add({ openedMillis: nowMillis, done })
  }

  has(readId: number): boolean {
    return this.byId.get(readId) !== undefined
  }

  /** The caller has gone. */
  forget(readId: number): void {
    this.byId.take(readId)
  }

  confirm(readIds: ReadonlyArray<number>): void {
    this.fill(readIds, undefined)
  }

  fail(readIds: ReadonlyArray<number>, reason: RaftErrorReason): void {
    this.fill(readIds, reason)
  }

  /** Gives up what was opened at `sinceMillis` or before: this node lags too far behind to answer. */
  expire(sinceMillis: number): void {
    // Slots stand in the order in which they were opened.
    for (const { done } of this.byId.takeWhile(({ openedMillis }) => openedMillis <= sinceMillis)) {
      done(this.tooLate())
    }
  }

  /** When the first of those that still wait was opened. */
  oldestMillis(): number | undefined {
    return this.byId.oldest()?.openedMillis
  }

  failAll(reason: RaftErrorReason): void {
    for (const { done } of this.byId.takeWhile(() => true)) done(reason)
  }

  private fill(readIds: ReadonlyArray<number>, refusal: RaftErrorReason | undefined): void {
    for (const readId of readIds) this.byId.take(readId)?.done(refusal)
  }
}
