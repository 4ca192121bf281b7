/**
 * Four producers, one consumer, a channel between them.
 *
 * The notes: `for i := 0; i < 4; i++ { go doWork(c) }` and `for { v := <-c; ... }` in main. The channel is
 * the only thing they share, so nothing needs a lock. The goroutines end when the process does.
 *
 * Here: a bounded `Queue` and four scoped fibers. The bound makes a producer wait when the consumer is slow.
 * When the consumer has what it wants the Scope closes and the producers are gone, not forgotten.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { runAlone } from "./runAlone.ts"

export interface Job {
  readonly producer: number
  readonly job: number
}

const queueCapacity = 2

/** Makes jobs 0, 1, 2, … at a pace of its own and waits while the queue is full. */
const produce = Effect.fnUntraced(function* (jobs: Queue.Enqueue<Job>, producer: number) {
  for (let job = 0; ; job++) {
    yield* Effect.sleep(100 * (producer + 1))
    yield* Queue.offer(jobs, { producer, job })
  }
})

/** The first `count` jobs, in the order of their arrival; `handle` is run for one after the other. */
export const consume = Effect.fnUntraced(function* (
  count: number,
  handle: (job: Job) => Effect.Effect<void>
) {
  const jobs = yield* Queue.bounded<Job>(queueCapacity)
  yield* Effect.forEach(Arr.range(0, 3), (producer) => Effect.forkScoped(produce(jobs, producer)))
  return yield* Effect.forEach(Arr.range(1, count), () => Effect.tap(Queue.take(jobs), handle))
}, Effect.scoped)

runAlone(
  import.meta,
  consume(8, () => Effect.void)
)
