/**
 * The actor's mailbox: one Queue, two lanes.
 *
 * What keeps the protocol alive (peers' messages, timers, the disk's answers) goes first; clients' requests
 * come after, and wait while there is more of the former than one turn takes. Both lanes are bounded: a
 * message too many is dropped, as a network might; a request too many is refused to its caller. The node's
 * own signals are never dropped: there is at most one of each kind at a time.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Event, MembershipRequested, TransferRequested } from "../consensus/Event.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import type { ProposalSlot } from "./ReplySlots.ts"

/** What clients and operators ask of the actor. */
export type Request =
  | { readonly _tag: "Propose"; readonly slot: ProposalSlot }
  | { readonly _tag: "Read"; readonly readId: number }
  | { readonly _tag: "Operate"; readonly event: MembershipRequested | TransferRequested }

/** What one turn works on. */
export interface Batch {
  readonly events: ReadonlyArray<Event>
  readonly requests: ReadonlyArray<Request>
}

type Letter =
  | { readonly lane: "protocol"; readonly isMessage: boolean; readonly event: Event }
  | { readonly lane: "client"; readonly request: Request }

export interface Mailbox {
  /** A signal of the node itself; always taken. */
  readonly signal: (event: Event) => void
  /** A peer's message; `false` when it was dropped. */
  readonly message: (event: Event) => boolean
  /** A client's request; `false` when it was refused. */
  readonly request: (request: Request) => boolean
  /** Waits until there is something to do. To be called by the actor only. */
  readonly takeBatch: Effect.Effect<Batch>
  /** Nothing is waiting now. */
  readonly isEmpty: () => boolean
  /** The requests that nobody took, when the actor has ended. */
  readonly drainRequests: () => ReadonlyArray<Request>
}

export const make = (config: RaftConfig): Effect.Effect<Mailbox> =>
  Effect.gen(function* () {
    const letters = yield* Queue.unbounded<Letter>() // bounded by the counts below
    let protocol: Array<Event> = []
    let clients: Array<Request> = []
    let queuedMessages = 0
    let queuedRequests = 0

    const sort = (batch: ReadonlyArray<Letter>) => {
      for (const letter of batch) {
        if (letter.lane === "client") {
          clients.push(letter.request)
          continue
        }
        protocol.push(letter.event)
        if (letter.isMessage) queuedMessages -= 1
      }
    }

    const cut = (): Batch => {
      const events = protocol.splice(0, config.maxTurnEvents)
      const requests = clients.splice(0, config.maxTurnEvents - events.length)
      queuedRequests -= requests.length
      return { events, requests }
    }

    const takeBatch: Effect.Effect<Batch> = Effect.suspend(() =>
      protocol.length + clients.length > 0 && Queue.sizeUnsafe(letters) === 0
        ? Effect.succeed(cut())
        : Effect.map(Queue.takeAll(letters), (batch) => {
            sort(batch)
            return cut()
          })
    )

    return {
      signal: (event) => {
        Queue.offerUnsafe(letters, { lane: "protocol", isMessage: false, event })
      },
      message: (event) => {
        if (queuedMessages >= config.maxQueuedMessages) return false
        queuedMessages += 1
        return Queue.offerUnsafe(letters, { lane: "protocol", isMessage: true, event })
      },
      request: (request) => {
        if (queuedRequests >= config.maxQueuedRequests) return false
        queuedRequests += 1
        return Queue.offerUnsafe(letters, { lane: "client", request })
      },
      takeBatch,
      isEmpty: () => protocol.length + clients.length + Queue.sizeUnsafe(letters) === 0,
      drainRequests: () => {
        let letter = Queue.takeUnsafe(letters)
        while (letter !== undefined && letter._tag === "Success") {
          sort([letter.value])
          letter = Queue.takeUnsafe(letters)
        }
        const left = clients
        clients = []
        protocol = []
        return left
      }
    }
  })
