/**
 * The actor's mailbox: two lanes and a bell.
 *
 * What keeps the protocol alive (peers' messages, timers, the disk's answers) goes first; clients' requests
 * come after, and wait while there is more of the former than one turn takes. Both lanes are bounded: a
 * message too many is dropped, as a network might; a request too many is refused to its caller. The node's
 * own signals are never dropped: there is at most one of each kind at a time.
 */
import type { Event, MembershipRequested, TransferRequested } from "../consensus/Event.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import type { ProposalSlot } from "./ReplySlots.ts"

/** What clients and operators ask of the actor. */
export type Request =
  | { readonly _tag: "Propose"; readonly slot: ProposalSlot }
  | { readonly _tag: "Read"; readonly readId: number; readonly mayUseLease: boolean }
  | { readonly _tag: "Operate"; readonly event: MembershipRequested | TransferRequested }

/** What one turn works on. It is the taker's own. */
export interface Batch {
  readonly events: Array<Event>
  readonly requests: ReadonlyArray<Request>
}

export interface Mailbox {
  /** A signal of the node itself; always taken. */
  readonly signal: (event: Event) => void
  /** A peer's message; `false` when it was dropped. */
  readonly message: (event: Event) => boolean
  /** A client's request; `false` when it was refused. */
  readonly request: (request: Request) => boolean
  /** Takes out what one turn works on. To be called by the actor only. */
  readonly takeBatch: () => Batch
  /** Nothing is waiting now. */
  readonly isEmpty: () => boolean
  /** The requests that nobody took, when the actor has ended. */
  readonly drainRequests: () => ReadonlyArray<Request>
}

const none: ReadonlyArray<Request> = []

/** `ring` is called whenever something was put in. */
export const make = (config: RaftConfig, ring: () => void): Mailbox => {
  let protocol: Array<Event> = []
  let clients: Array<Request> = []
  let queuedMessages = 0

  const takeAll = (): Batch => {
    const batch = { events: protocol, requests: clients.length === 0 ? none : clients }
    protocol = []
    if (clients.length > 0) clients = []
    queuedMessages = 0
    return batch
  }

  const takeSome = (): Batch => {
    const batch = firstOfBoth(protocol, clients, config.maxTurnEvents)
    for (const event of batch.events) if (event._tag === "Received") queuedMessages -= 1
    protocol = protocol.slice(batch.events.length)
    clients = clients.slice(batch.requests.length)
    return batch
  }

  return {
    signal: (event) => {
      protocol.push(event)
      ring()
    },
    message: (event) => {
      if (queuedMessages >= config.maxQueuedMessages) return false
      queuedMessages += 1
      protocol.push(event)
      ring()
      return true
    },
    request: (request) => {
      if (clients.length >= config.maxQueuedRequests) return false
      clients.push(request)
      ring()
      return true
    },
    takeBatch: () => (protocol.length + clients.length <= config.maxTurnEvents ? takeAll() : takeSome()),
    isEmpty: () => protocol.length === 0 && clients.length === 0,
    drainRequests: () => {
      const left = clients
      clients = []
      protocol = []
      return left
    }
  }
}

/** As much as a turn takes: the protocol first, clients in the room that is left. */
const firstOfBoth = (
  protocol: ReadonlyArray<Event>,
  clients: ReadonlyArray<Request>,
  maxTurnEvents: number
): Batch => {
  const events = protocol.slice(0, maxTurnEvents)
  return { events, requests: clients.slice(0, maxTurnEvents - events.length) }
}
