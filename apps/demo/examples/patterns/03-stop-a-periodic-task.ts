/**
 * A task that does something again and again until another one says stop.
 *
 * The notes: `for !rf.killed() { tick(); time.Sleep(...) }` in a goroutine, a `done` flag that both sides
 * guard with a mutex, and a task that notices the flag only after its sleep.
 *
 * Here: the fiber belongs to a Scope. Closing the Scope interrupts it where it sleeps, and returns when it
 * is gone; nobody asks a flag. Time is the Clock's, so a test lets five seconds pass in none.
 */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { runAlone } from "./runAlone.ts"

export const heartbeatIntervalMillis = 800

/** Beats at once and then at every interval, as long as the Scope is open. */
const heartbeats = (beat: Effect.Effect<void>) =>
  beat.pipe(Effect.repeat(Schedule.spaced(heartbeatIntervalMillis)), Effect.forkScoped)

/** Lets `beat` run for five seconds. */
export const beatForFiveSeconds = (beat: Effect.Effect<void>): Effect.Effect<void> =>
  heartbeats(beat).pipe(Effect.andThen(Effect.sleep("5 seconds")), Effect.scoped)

export const program = Effect.gen(function* () {
  const beats = yield* Ref.make(0)
  yield* beatForFiveSeconds(Ref.update(beats, (count) => count + 1))
  return `${yield* Ref.get(beats)} heartbeats in five seconds`
})

runAlone(import.meta, program)
