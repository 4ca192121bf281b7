/**
 * Logs a warning once, not once per retry.
 *
 * A link tries again many times a minute, and a port scanner even more often. The same words are logged
 * again after a minute at the earliest.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const quietMillis = 60_000
const maxRemembered = 256

/** A warning that is silent while the same words are fresh. */
export const make = (): ((words: string) => Effect.Effect<void>) => {
  const loggedAtMillis = new Map<string, number>()
  return (words) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
      const last = loggedAtMillis.get(words)
      if (last !== undefined && nowMillis - last < quietMillis) return Effect.void
      if (loggedAtMillis.size >= maxRemembered) loggedAtMillis.clear()
      loggedAtMillis.set(words, nowMillis)
      return Effect.logWarning(words)
    })
}
