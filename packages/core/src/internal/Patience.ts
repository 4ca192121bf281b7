/**
 * The one timer behind all calls that wait no longer than the request timeout.
 *
 * Calls stand in lines, in the order in which they began, so the first of a line is the next whose time is
 * over. Until then the fiber sleeps; where nobody waits it sleeps for a whole timeout, because whoever
 * comes meanwhile has at least as long. A timer for each call would cost more than most calls.
 */
import * as Effect from "effect/Effect"

/** Calls that wait. */
export interface Line {
  /** When the first of those that still wait began, on the monotonic clock; `undefined` where nobody waits. */
  readonly oldestMillis: () => number | undefined
  /** Ends the wait of all that began at `sinceMillis` or before. */
  readonly expire: (sinceMillis: number) => void
}

/** Ends every wait when it is over. */
export const run = (options: {
  readonly timeoutMillis: number
  readonly nowMillis: () => number
  readonly lines: ReadonlyArray<Line>
}): Effect.Effect<never> => {
  const { timeoutMillis, nowMillis, lines } = options
  const sleep = Effect.suspend(() => {
    const now = nowMillis()
    let dueMillis = now + timeoutMillis
    for (const line of lines) dueMillis = Math.min(dueMillis, (line.oldestMillis() ?? now) + timeoutMillis)
    return Effect.sleep(Math.max(1, Math.ceil(dueMillis - now)))
  })
  const expire = Effect.sync(() => {
    const sinceMillis = nowMillis() - timeoutMillis
    for (const line of lines) line.expire(sinceMillis)
  })
  return Effect.forever(Effect.andThen(sleep, expire), { disableYield: true })
}
