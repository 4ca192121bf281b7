/**
 * Who waits to read. A slot is opened when the call begins, named by a number that the rules carry
 * around, and filled when the state may be looked at, or when nobody will confirm it any more.
 */
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import { RaftError } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"

export interface ReadSlot {
  readonly readId: number
  readonly openedMillis: number
  /** Completes when everything that the read must see is applied. */
  readonly ready: Deferred.Deferred<void, RaftError>
}

export class ReadSlots {
  private readonly byId = new Map<number, ReadSlot>()
  private nextId = 0

  get size(): number {
    return this.byId.size
  }

  open(nowMillis: number): ReadSlot {
    const slot: ReadSlot = { readId: this.nextId++, openedMillis: nowMillis, ready: Deferred.makeUnsafe() }
    this.byId.set(slot.readId, slot)
    return slot
  }

  has(readId: number): boolean {
    return this.byId.has(readId)
  }

  /** The caller has gone. */
  forget(readId: number): void {
    this.byId.delete(readId)
  }

  confirm(readIds: ReadonlyArray<number>): void {
    this.fill(readIds, Exit.void)
  }

  fail(readIds: ReadonlyArray<number>, reason: RaftErrorReason): void {
    this.fill(readIds, Exit.fail(new RaftError({ reason })))
  }

  /** Gives up what was opened at `sinceMillis` or before: this node lags too far behind to answer. */
  expire(sinceMillis: number, reason: () => RaftErrorReason): void {
    if (this.byId.size === 0) return
    // Slots stand in the order in which they were opened.
    for (const slot of this.byId.values()) {
      if (slot.openedMillis > sinceMillis) return
      this.fail([slot.readId], reason())
    }
  }

  failAll(reason: RaftErrorReason): void {
    this.fail(Array.from(this.byId.keys()), reason)
  }

  private fill(readIds: ReadonlyArray<number>, exit: Exit.Exit<void, RaftError>): void {
    for (const readId of readIds) {
      const slot = this.byId.get(readId)
      this.byId.delete(readId)
      if (slot !== undefined) Deferred.doneUnsafe(slot.ready, exit)
    }
  }
}
