/**
 * A reply that comes too late must not count.
 *
 * The notes: between sending `RequestVote` and getting the reply the lock was free, so the world may have
 * changed. `args.Term` is what the question was asked under; after every RPC check `rf.currentTerm == args.Term`
 * before believing the reply. Rule 5, and the bug that every first attempt at the lab has.
 *
 * Here: the reply is an event that carries the term of its request, and the pure rule compares. There is no
 * path around the comparison, because only the rule can make a new state.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { runAlone } from "./runAlone.ts"

export interface State {
  readonly currentTerm: number
  readonly votes: number
  readonly dropped: number
}

export type Event =
  /** The election timer fired. */
  | { readonly _tag: "Campaign" }
  /** A peer answered what it was asked in `requestTerm`. */
  | { readonly _tag: "Reply"; readonly requestTerm: number; readonly granted: boolean }

/** The rule. A new term begins with one's own vote; a reply of another term changes nothing. */
export const step = (state: State, event: Event): State => {
  switch (event._tag) {
    case "Campaign":
      return { ...state, currentTerm: state.currentTerm + 1, votes: 1 }
    case "Reply":
      if (event.requestTerm !== state.currentTerm) return { ...state, dropped: state.dropped + 1 }
      return event.granted ? { ...state, votes: state.votes + 1 } : state
  }
}

/** Asks a peer that answers after `latencyMillis`; the question remembers the term it was asked in. */
const requestVote = (events: Queue.Enqueue<Event>, requestTerm: number, latencyMillis: number) =>
  Effect.delay(Queue.offer(events, { _tag: "Reply", requestTerm, granted: true }), latencyMillis)

/**
 * Campaigns in term 1 and, 100 ms later, in term 2. The peer is asked twice: its answer of term 1 takes
 * `latencyMillis`, that of term 2 is quick.
 */
export const campaignTwice = Effect.fnUntraced(function* (latencyMillis: number) {
  const events = yield* Queue.bounded<Event>(16)
  const settled = yield* Deferred.make<State>()
  let state: State = { currentTerm: 0, votes: 0, dropped: 0 }
  let replies = 0
  const actor = Queue.take(events).pipe(
    Effect.flatMap((event) => {
      state = step(state, event)
      if (event._tag === "Reply") replies += 1
      return replies === 2 ? Deferred.succeed(settled, state) : Effect.void
    }),
    Effect.forever
  )
  yield* Effect.forkScoped(actor)
  yield* Queue.offer(events, { _tag: "Campaign" })
  yield* Effect.forkScoped(requestVote(events, 1, latencyMillis))
  yield* Effect.sleep("100 millis")
  yield* Queue.offer(events, { _tag: "Campaign" })
  yield* Effect.forkScoped(requestVote(events, 2, 10))
  return yield* Deferred.await(settled)
}, Effect.scoped)

runAlone(import.meta, Effect.all({ inTime: campaignTwice(50), late: campaignTwice(300) }))
