/**
 * From what waits in the mailbox to the events of one turn: all proposals together are one event, and so are
 * all reads, behind everything that peers, timers and the disk have said.
 */
import type { Event } from "../consensus/Event.ts"
import type * as Mailbox from "./Mailbox.ts"
import type { ReadSlots } from "./ReadSlots.ts"
import type { ProposalSlot } from "./ReplySlots.ts"

/** What a turn works on. */
export interface Work {
  readonly events: Array<Event>
  /** The slots of the one `Proposed` event, in its order. */
  readonly slots: ReadonlyArray<ProposalSlot>
  /** The reads that ask for a round. */
  readonly readIds: ReadonlyArray<number>
}

const none: ReadonlyArray<never> = []

/** Calls that were given up before their turn came are left out. */
export const workOf = (batch: Mailbox.Batch, readSlots: ReadSlots): Work => {
  const { events } = batch
  if (batch.requests.length === 0) return { events, slots: none, readIds: none }
  const proposed: Array<ProposalSlot> = []
  const readIds: Array<number> = []
  const leaseReadIds: Array<number> = []
  for (const request of batch.requests) {
    if (request._tag === "Read") {
      const ids = request.mayUseLease ? leaseReadIds : readIds
      if (readSlots.waitOf(request.readId) !== undefined) ids.push(request.readId)
    } else if (request._tag === "Operate") {
      events.push(request.event)
    } else if (!request.slot.isAbandoned()) {
      proposed.push(request.slot)
    }
  }
  if (proposed.length > 0) events.push({ _tag: "Proposed", drafts: proposed })
  if (readIds.length > 0) events.push({ _tag: "ReadsRequested", readIds })
  if (leaseReadIds.length > 0) events.push({ _tag: "ReadsRequested", readIds: leaseReadIds, byLease: true })
  return { events, slots: proposed, readIds }
}
