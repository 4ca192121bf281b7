/**
 * Who waits for a change of leaders.
 *
 * The call ends when this node knows who leads after it: the node that was meant to, or another, or still the
 * same because the transfer was given up.
 */
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type { NodeState } from "../consensus/NodeState.ts"
import { leaderOf } from "../consensus/NodeState.ts"
import type { NodeId } from "../NodeId.ts"
import { TransferFailed } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { Term } from "../Term.ts"

export interface TransferSlot {
  readonly requestId: number
  readonly leader: Deferred.Deferred<NodeId, RaftErrorReason>
}

interface Waiting extends TransferSlot {
  /** Whom the caller has named; `null` for the best. */
  readonly to: NodeId | null
  /** Whom the office is to go to, and the term in which that began; `undefined` before. */
  begun: { readonly to: NodeId; readonly term: Term } | undefined
}

export class TransferSlots {
  private readonly byId = new Map<number, Waiting>()
  private nextId = 0

  get size(): number {
    return this.byId.size
  }

  open(to: NodeId | null): TransferSlot {
    const slot: Waiting = { requestId: this.nextId++, to, leader: Deferred.makeUnsafe(), begun: undefined }
    this.byId.set(slot.requestId, slot)
    return slot
  }

  /** The caller has gone. */
  forget(requestId: number): void {
    this.byId.delete(requestId)
  }

  begin(requestId: number, begun: { readonly to: NodeId; readonly term: Term }): void {
    const slot = this.byId.get(requestId)
    if (slot !== undefined) slot.begun = begun
  }

  /** It will not be transferred to whom the caller has named. */
  refuse(requestId: number, detail: string): void {
    const to = this.byId.get(requestId)?.to ?? null
    this.fail(requestId, new TransferFailed({ to, detail }))
  }

  fail(requestId: number, reason: RaftErrorReason): void {
    this.fill(requestId, Exit.fail(reason))
  }

  /** Looks whether somebody leads a later term by now. To be called when the leader is another one. */
  settle(state: NodeState): void {
    if (this.byId.size === 0) return
    const leader = leaderOf(state)
    for (const { requestId, begun } of Array.from(this.byId.values())) {
      if (begun === undefined || leader === null || state.currentTerm <= begun.term) continue
      const detail = `${leader} was elected instead`
      if (leader === begun.to) this.fill(requestId, Exit.succeed(leader))
      else this.fail(requestId, new TransferFailed({ to: begun.to, detail }))
    }
  }

  /** The node ends. */
  failAll(reason: RaftErrorReason): void {
    for (const requestId of Array.from(this.byId.keys())) this.fail(requestId, reason)
  }

  private fill(requestId: number, exit: Exit.Exit<NodeId, RaftErrorReason>): void {
    const slot = this.byId.get(requestId)
    this.byId.delete(requestId)
    if (slot !== undefined) Deferred.doneUnsafe(slot.leader, exit)
  }
}
