/**
 * The way out: messages become lines on standard output, in order, those that wait in one write.
 *
 * `send` does not wait. When the reader is so slow that `maxWaiting` is reached, messages are dropped, as
 * a network might: a peer's is sent again by Raft, and a client that misses its answer knows that it does
 * not know.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as PlatformError from "effect/PlatformError"
import * as Queue from "effect/Queue"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type * as Message from "./Message.ts"

/** What may wait to be written, in UTF-16 code units. One message is taken in any case. */
const maxWaiting = 32 * 1024 * 1024

/** How long the last messages may take to be written once the scope closes. */
const lastWordsMillis = 1_000

export interface Outgoing {
  /** Queues a message; `false` if it was dropped. */
  readonly send: (message: Message.Envelope) => boolean
  /** Fails when standard output does. */
  readonly failure: Effect.Effect<void, PlatformError.PlatformError>
}

/** Writes until the scope closes, and then what still waits. */
export const make = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const lines = yield* Queue.unbounded<string, Cause.Done>() // bounded by the length counted here
  let waiting = 0

  const writing = Stream.fromQueue(lines).pipe(
    Stream.mapArray((batch): [string] => {
      const text = batch.join("")
      waiting -= text.length
      return [text]
    }),
    Stream.run(stdio.stdout()),
    Effect.annotateLogs({ fiber: "standard output" })
  )

  const writer = yield* Effect.acquireRelease(Effect.forkDetach(writing), (fiber) =>
    Queue.end(lines).pipe(
      Effect.andThen(Effect.timeoutOption(Fiber.await(fiber), lastWordsMillis)),
      Effect.andThen(Fiber.interrupt(fiber))
    )
  )

  return {
    send: (message) => {
      const line = `${JSON.stringify(message)}\n`
      if (waiting > 0 && waiting + line.length > maxWaiting) return false
      waiting += line.length
      return Queue.offerUnsafe(lines, line)
    },
    failure: Fiber.join(writer)
  } satisfies Outgoing
})
