/**
 * Two kinds of channel, and what each orders before what.
 *
 * The notes: a send on an unbuffered channel returns only when a receiver has taken the value, so it is a
 * meeting as much as a message (and a program that sends to itself deadlocks). A buffered channel of capacity
 * n lets n sends go ahead; the receive of a value comes before the send of the nth after it returns.
 *
 * Here: a bounded `Queue` is the buffered channel. The meeting is a `Deferred` that travels inside the
 * message and is completed by whoever takes it. effect-raft uses the first for every mailbox, since a bound
 * is what makes `Overloaded` possible, and the second for every answer: the reply slot of a proposal.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { runAlone } from "./runAlone.ts"

export interface Channel<A> {
  readonly send: (value: A) => Effect.Effect<void>
  readonly receive: Effect.Effect<A>
}

/** `send` returns when a receiver has taken the value. */
export const unbuffered = Effect.fnUntraced(function* <A>() {
  const handOvers = yield* Queue.bounded<{ readonly value: A; readonly taken: Deferred.Deferred<void> }>(1)
  const channel: Channel<A> = {
    send: Effect.fnUntraced(function* (value) {
      const taken = yield* Deferred.make<void>()
      yield* Queue.offer(handOvers, { value, taken })
      yield* Deferred.await(taken)
    }),
    receive: Effect.gen(function* () {
      const { taken, value } = yield* Queue.take(handOvers)
      yield* Deferred.succeed(taken, undefined)
      return value
    })
  }
  return channel
})

/** `send` returns at once as long as fewer than `capacity` values wait. */
export const buffered = Effect.fnUntraced(function* <A>(capacity: number) {
  const queue = yield* Queue.bounded<A>(capacity)
  const channel: Channel<A> = {
    send: (value) => Effect.asVoid(Queue.offer(queue, value)),
    receive: Queue.take(queue)
  }
  return channel
})

/** When each of `count` sends returned, in milliseconds, with a receiver that takes one value a second. */
export const sendTimes = Effect.fnUntraced(function* (channel: Channel<number>, count: number) {
  const startedAt = yield* Clock.currentTimeMillis
  yield* Effect.forkScoped(Effect.forever(Effect.delay(channel.receive, "1 second")))
  return yield* Effect.forEach(
    Array.from({ length: count }, (_, value) => value),
    (value) => Effect.andThen(channel.send(value), Clock.currentTimeMillis)
  ).pipe(Effect.map((times) => times.map((time) => time - startedAt)))
}, Effect.scoped)

runAlone(
  import.meta,
  Effect.all({
    unbuffered: Effect.flatMap(unbuffered<number>(), (channel) => sendTimes(channel, 3)),
    bufferOfTwo: Effect.flatMap(buffered<number>(2), (channel) => sendTimes(channel, 3))
  })
)
