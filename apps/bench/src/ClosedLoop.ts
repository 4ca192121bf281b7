/**
 * Load by a number of clients, each of which asks again as soon as it was answered, for a given time; and
 * beside them, where that is asked for, operations that begin at a steady pace.
 *
 * A failed operation is counted and its client goes on, after a short pause, as a real one would: how long
 * a cluster answers nobody is a figure too.
 */
import * as Effect from "effect/Effect"
import * as NodePerfHooks from "node:perf_hooks"

export interface Load<E, R> {
  readonly clients: number
  readonly seconds: number
  /** Runs before it counts, so that code is compiled and caches are warm. */
  readonly warmUpSeconds: number
  /** One more operation begins this often, whatever became of those before; none where it is left out. */
  readonly paceMillis?: number
  /** One operation of the client with this number. */
  readonly operation: (client: number) => Effect.Effect<unknown, E, R>
  /** Called when the warm-up is over. */
  readonly onBegin?: () => void
}

export interface LoadResult {
  readonly seconds: number
  readonly operations: number
  readonly failed: number
  /** Of operations that succeeded, in nanoseconds. */
  readonly latencies: NodePerfHooks.RecordableHistogram
  /** The longest time in which nothing succeeded. */
  readonly longestGapMillis: number
}

const pauseAfterFailureMillis = 5

/** Runs the load; ends when all clients have their last answer. */
export const run = <E, R>(load: Load<E, R>): Effect.Effect<LoadResult, never, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const latencies = NodePerfHooks.createHistogram()
      const startMillis = performance.now()
      const beginMillis = startMillis + load.warmUpSeconds * 1000
      const endMillis = beginMillis + load.seconds * 1000
      let hasBegun = false
      let failed = 0
      let succeededMillis = Number.POSITIVE_INFINITY
      let longestGapMillis = 0

      const begin = (): void => {
        hasBegun = true
        succeededMillis = performance.now()
        load.onBegin?.()
      }

      /** Where `again` is false it is one operation and no loop. */
      const client = (number: number, again = true): Effect.Effect<void, never, R> => {
        let sentMillis = 0
        const next: Effect.Effect<void, never, R> = Effect.suspend(() => ask(performance.now()))
        const ask = (nowMillis: number): Effect.Effect<void, never, R> => {
          if (nowMillis >= endMillis) return Effect.void
          if (!hasBegun && nowMillis >= beginMillis) begin()
          sentMillis = nowMillis
          return Effect.matchEffect(load.operation(number), answered)
        }
        const answered = {
          onSuccess: (): Effect.Effect<void, never, R> => {
            const nowMillis = performance.now()
            if (nowMillis <= endMillis) {
              longestGapMillis = Math.max(longestGapMillis, nowMillis - succeededMillis)
              if (hasBegun) succeededMillis = nowMillis
              if (sentMillis >= beginMillis) {
                latencies.record(Math.max(1, Math.round((nowMillis - sentMillis) * 1_000_000)))
              }
            }
            // The next one begins at the moment in which this one ended: one look at the clock for both.
            return again ? ask(nowMillis) : Effect.void
          },
          onFailure: (): Effect.Effect<void, never, R> => {
            if (sentMillis >= beginMillis) failed += 1
            return again ? Effect.delay(next, pauseAfterFailureMillis) : Effect.void
          }
        }
        return next
      }

      const clients = Array.from({ length: load.clients }, (_, number) => client(number))
      const paced =
        load.paceMillis === undefined
          ? Effect.never
          : Effect.forever(
              Effect.andThen(Effect.forkScoped(client(load.clients, false)), Effect.sleep(load.paceMillis))
            )
      yield* Effect.raceFirst(Effect.all(clients, { concurrency: "unbounded", discard: true }), paced)
      longestGapMillis = Math.max(longestGapMillis, endMillis - succeededMillis)
      return { seconds: load.seconds, operations: latencies.count, failed, latencies, longestGapMillis }
    })
  )

/** The usual figures of a load. */
export const figuresOf = ({ failed, latencies, longestGapMillis, operations, seconds }: LoadResult) => ({
  perSecond: operations / seconds,
  p50Millis: millisAt(latencies, 50),
  p99Millis: millisAt(latencies, 99),
  p999Millis: millisAt(latencies, 99.9),
  longestGapMillis,
  failed
})

const millisAt = (latencies: NodePerfHooks.RecordableHistogram, percentile: number): number =>
  latencies.count === 0 ? Number.MAX_SAFE_INTEGER : latencies.percentile(percentile) / 1_000_000
