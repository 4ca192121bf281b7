/**
 * How a test of a cluster lets time pass.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

/**
 * How a test lets time pass. By default the `TestClock` is moved; a runtime whose clock moves by itself
 * replaces it by a sleep.
 */
export const Advance = Context.Reference<(duration: Duration.Input) => Effect.Effect<void>>(
  "@effect-raft/core/testing/Advance",
  { defaultValue: () => TestClock.adjust }
)
