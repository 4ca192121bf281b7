/**
 * Ask ten peers for their vote; stop at five yes, or when all ten have answered.
 *
 * The notes go through four versions: a busy loop under a lock (burns a core), the same with a sleep (a magic
 * number), a condition variable (`for count < 5 && finished != 10 { cond.Wait() }`, with a `Broadcast` after
 * every change), and a channel, whose late senders are stuck for ever once nobody receives.
 *
 * Here: every answer goes into a queue and one fiber counts, so the counters have one owner and no lock. It
 * waits at the queue and wakes once per answer. The voters' fibers belong to a Scope that closes with the
 * decision: the requests that nobody needs any more are interrupted, none is stuck.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { runAlone } from "./runAlone.ts"

export interface Tally {
  readonly granted: number
  readonly answered: number
}

const count = (tally: Tally, granted: boolean): Tally => ({
  granted: tally.granted + (granted ? 1 : 0),
  answered: tally.answered + 1
})

/** Counts until `needed` have granted their vote, or everyone has answered. */
export const countVotes = Effect.fnUntraced(function* (
  requests: ReadonlyArray<Effect.Effect<boolean>>,
  needed: number
) {
  const answers = yield* Queue.bounded<boolean>(requests.length)
  for (const request of requests) {
    yield* Effect.forkScoped(Effect.flatMap(request, (granted) => Queue.offer(answers, granted)))
  }
  let tally: Tally = { granted: 0, answered: 0 }
  while (tally.granted < needed && tally.answered < requests.length) {
    tally = count(tally, yield* Queue.take(answers))
  }
  return tally
}, Effect.scoped)

/** A voter that answers after `latencyMillis`. */
export const voter = (granted: boolean, latencyMillis: number): Effect.Effect<boolean> =>
  Effect.as(Effect.sleep(latencyMillis), granted)

runAlone(
  import.meta,
  countVotes(
    Array.from({ length: 10 }, (_, peer) => voter(peer % 3 !== 0, 50 * (peer + 1))),
    5
  )
)
