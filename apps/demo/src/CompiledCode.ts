/**
 * Keeping what V8 has compiled for the next start of this program (`main.ts` says where).
 *
 * Node writes it down when a process ends in an orderly way. A node runs until it is killed, or its machine
 * loses power, and its next start is the one that somebody waits for. So a node writes it down while it runs.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NodeModule from "node:module"

/** By then a node has recovered, applied its log and followed or led: most of what a start needs is compiled. */
const keptAfter = Duration.seconds(3)

/**
 * Writes down, once and some seconds from now, what was compiled. Takes some milliseconds; where nobody may
 * write, nothing.
 */
export const keep: Effect.Effect<void> = Effect.delay(
  Effect.sync(() => NodeModule.flushCompileCache()),
  keptAfter
)
