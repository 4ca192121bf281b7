/**
 * Load by a number of clients, each of which asks again as soon as it was answered, for a given time.
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
}

const pauseAfterFailureMillis = 5

/** Runs the load; ends when all clients have their last answer. */
export const run = <E, R>(load: Load<E, R>): Effect.Effect<LoadResult, never, R> =>
  Effect.gen(function* () {
    const latencies = NodePerfHooks.createHistogram()
    const startMillis = performance.now()
    const beginMillis = startMillis + load.warmUpSeconds * 1000
    const endMillis = beginMillis + load.seconds * 1000
    let hasBegun = false
    let failed = 0

    const begin = (): void => {
      hasBegun = true
      load.onBegin?.()
    }

    const client = (number: number): Effect.Effect<void, never, R> => {
      let sentMillis = performance.now()
      const next: Effect.Effect<void, never, R> = Effect.suspend(() => {
        sentMillis = performance.now()
        if (sentMillis >= endMillis) return Effect.void
        if (!hasBegun && sentMillis >= beginMillis) begin()
        return once
      })
      const once: Effect.Effect<void, never, R> = Effect.matchEffect(load.operation(number), {
        onSuccess: () => {
          const nowMillis = performance.now()
          if (sentMillis >= beginMillis && nowMillis <= endMillis) {
            latencies.record(Math.max(1, Math.round((nowMillis - sentMillis) * 1_000_000)))
          }
          return next
        },
        onFailure: () => {
          if (sentMillis >= beginMillis) failed += 1
          return Effect.delay(next, pauseAfterFailureMillis)
        }
      })
      return next
    }

    const clients = Array.from({ length: load.clients }, (_, number) => client(number))
    yield* Effect.all(clients, { concurrency: "unbounded", discard: true })
    return { seconds: load.seconds, operations: latencies.count, failed, latencies }
  })

/** The usual figures of a load. */
export const figuresOf = ({ failed, latencies, operations, seconds }: LoadResult) => ({
  perSecond: operations / seconds,
  p50Millis: millisAt(latencies, 50),
  p99Millis: millisAt(latencies, 99),
  p999Millis: millisAt(latencies, 99.9),
  failed
})

const millisAt = (latencies: NodePerfHooks.RecordableHistogram, percentile: number): number =>
  latencies.count === 0 ? Number.MAX_SAFE_INTEGER : latencies.percentile(percentile) / 1_000_000
