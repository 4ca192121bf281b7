/**
 * How the garbage collector of a node's process is set.
 *
 * What a node holds is mostly bytes outside of V8's heap: its log, its values, frames on their way. By itself V8
 * begins a major collection whenever these have grown by some 24 MB, however many there are, which under load is
 * several times a second. Told to count them as the heap's, it lets them double first. And the less a node holds, the
 * less V8 lets it gather, down to a third more; here all together may grow to two and a half times what was left.
 */
import * as Effect from "effect/Effect"
import * as NodeV8 from "node:v8"

/** The first major version of V8 that is known to have all of them; another one would complain on standard error. */
const sinceV8 = 14

const flags = [
  "--external-memory-accounted-in-global-limit",
  "--external-memory-max-growing-factor=2",
  "--heap-growing-percent=150"
]

/** To be done before much has been allocated. */
export const tune: Effect.Effect<void> = Effect.sync(() => {
  if (Number.parseInt(process.versions.v8) < sinceV8) return
  for (const flag of flags) NodeV8.setFlagsFromString(flag)
})
