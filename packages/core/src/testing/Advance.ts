/**
 * How a test of a cluster lets time pass.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

/**
 * How a test lets time pass. By default the `TestClock` is moved; a runtime whose clock moves by itself
 * replaces it by a sleep.
 */
export const Advance = Context.Reference<(duration: Duration.Input) => Effect.Effect<void>>(
  "@effect-raft/core/testing/Advance",
  { defaultValue: () => (duration) => Effect.andThen(TestClock.adjust(duration), settle) }
)

/**
 * Turns of the event loop that a step leaves to fibers. `adjust` waits for those that a timer woke; what a
 * test itself has set off (a message sent by hand, a node just started) goes on only in such turns.
 */
const settlingTurns = 16

const settle = Effect.repeat(Effect.yieldNow, { times: settlingTurns })
