/**
 * Who waits for a change of the membership. There is seldom more than one: a leader takes the next change
 * only when the one before it is committed.
 */
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type * as LogIndex from "../LogIndex.ts"
import type { Membership } from "../Membership.ts"
import { OutcomeUnknown } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { Position } from "./ReplySlots.ts"

export interface ChangeSlot {
  readonly requestId: number
  readonly outcome: Deferred.Deferred<Membership, RaftErrorReason>
}

interface Waiting extends ChangeSlot {
  /** Where the change stands in the log; `undefined` while nobody has taken it. */
  position: Position | undefined
}

export class ChangeSlots {
  private readonly byId = new Map<number, Waiting>()
  private nextId = 0

  get size(): number {
    return this.byId.size
  }

  open(): ChangeSlot {
    const slot: Waiting = { requestId: this.nextId++, outcome: Deferred.makeUnsafe(), position: undefined }
    this.byId.set(slot.requestId, slot)
    return slot
  }

  /** The caller has gone. */
  forget(requestId: number): void {
    this.byId.delete(requestId)
  }

  /** What is known of a change whose caller waits no longer. */
  outcomeWithoutAnswer(requestId: number, detail: string): OutcomeUnknown {
    return new OutcomeUnknown({ ...this.byId.get(requestId)?.position, detail })
  }

  /** The change is in this leader's log. */
  begin(requestId: number, position: Position): void {
    const slot = this.byId.get(requestId)
    if (slot !== undefined) slot.position = position
  }

  refuse(requestId: number, reason: RaftErrorReason): void {
    this.fill(requestId, Exit.fail(reason))
  }

  /** Every change up to `index` is committed and ended in `membership`. */
  settle(index: LogIndex.LogIndex, membership: Membership): void {
    for (const { requestId, position } of Array.from(this.byId.values())) {
      if (position !== undefined && position.index <= index) this.fill(requestId, Exit.succeed(membership))
    }
  }

  /** This node leads no longer: what it has begun, another may finish, or undo. */
  failBegun(): void {
    for (const { requestId, position } of Array.from(this.byId.values())) {
      if (position !== undefined) this.fill(requestId, Exit.fail(unfinished(position)))
    }
  }

  /** The node ends. */
  failAll(reason: RaftErrorReason): void {
    this.failBegun()
    for (const requestId of Array.from(this.byId.keys())) this.refuse(requestId, reason)
  }

  private fill(requestId: number, exit: Exit.Exit<Membership, RaftErrorReason>): void {
    const slot = this.byId.get(requestId)
    this.byId.delete(requestId)
    if (slot !== undefined) Deferred.doneUnsafe(slot.outcome, exit)
  }
}

const unfinished = (position: Position) =>
  new OutcomeUnknown({
    ...position,
    detail: "the leader that began the change lost its office before it was finished"
  })
