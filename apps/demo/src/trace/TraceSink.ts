/**
 * Where the events of a running node go: at once into a bounded buffer, and from there, in batches, to
 * wherever they are written, by a fiber of its own.
 *
 * A node never waits for its trace. When the writer cannot keep up events are dropped, and a `Dropped`
 * event in their place says how many. When the writer fails the trace ends there, and the node goes on.
 */
import * as TraceEvent from "@effect-raft/core/TraceEvent"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export interface TraceSink {
  /** Never waits and never throws. */
  readonly emit: (event: TraceEvent.TraceEvent) => void
}

/** What was dropped since the last event that was not. */
interface Gap {
  readonly count: number
  readonly last: TraceEvent.TraceEvent
}

/** How many events may wait to be written. */
const defaultMaxWaitingEvents = 16_384

/** Events that become text in one go; more would keep the node from its work. */
const maxBatchEvents = 256

/**
 * A sink that writes to the last event when the Scope closes. `writeLines` gets whole lines, and is called
 * again only when it has ended; after a failure it is not called any more.
 */
export const make = <E extends { readonly message: string }>(
  writeLines: (lines: string) => Effect.Effect<void, E>,
  options: { readonly maxWaitingEvents?: number } = {}
): Effect.Effect<TraceSink, never, Scope.Scope> =>
  Effect.gen(function* () {
    const waiting = yield* Queue.bounded<TraceEvent.TraceEvent, Cause.Done>(
      options.maxWaitingEvents ?? defaultMaxWaitingEvents
    )
    let gap: Gap | undefined

    const write = (events: ReadonlyArray<TraceEvent.TraceEvent>) =>
      writeLines(events.map((event) => `${TraceEvent.toLine(event)}\n`).join(""))

    const writing = Queue.takeBetween(waiting, 1, maxBatchEvents).pipe(
      Effect.flatMap(write),
      Effect.forever,
      Effect.catchIf(Cause.isDone, () => (gap === undefined ? Effect.void : write([noteOf(gap)]))),
      Effect.catch((error) =>
        Effect.andThen(Queue.shutdown(waiting), Effect.logWarning(`The trace ends here: ${error.message}`))
      ),
      Effect.annotateLogs({ fiber: "traceWriter" })
    )

    yield* Effect.acquireRelease(Effect.forkDetach(writing), (writer) =>
      Effect.andThen(Queue.end(waiting), Fiber.await(writer))
    )

    return {
      emit: (event) => {
        if (gap !== undefined && Queue.offerUnsafe(waiting, noteOf(gap))) gap = undefined
        if (gap === undefined && Queue.offerUnsafe(waiting, event)) return
        gap = { count: (gap?.count ?? 0) + 1, last: event }
      }
    }
  })

const noteOf = ({ count, last }: Gap): TraceEvent.TraceEvent => ({
  _tag: "Dropped",
  ...TraceEvent.momentOf(last),
  count
})
