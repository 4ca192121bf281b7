/**
 * How the garbage collector of a node's process is set.
 *
 * What a node holds is mostly bytes outside of V8's heap: its log, its values, frames on their way. By itself V8
 * begins a major collection whenever these have grown by some 24 MB, however many there are, which under load is
 * several times a second. Told to count them as the heap's, it lets them double first. And the less a node holds, the
 * less V8 lets it gather, down to a third more; here all together may double, too. While a node starts it may be half as
 * much again: what it reads back is no garbage, and to look through it takes as long as to apply it.
 *
 * The young generation, where everything begins its life, doubles while much of it stays, up to a size that is set when
 * a process starts: two halves of 32 MB. With halves of 16 MB a node has nearly 30 MB less, and as much to do. Smaller
 * ones would have to be emptied so often that it takes two or three times as long.
 */
import * as Effect from "effect/Effect"
import * as NodeV8 from "node:v8"
import * as CollectorFlags from "./CollectorFlags.ts"

/** To be done before much has been allocated. */
export const tune: Effect.Effect<void> = Effect.sync(CollectorFlags.tune)

/** More than two halves of 8 MB take: they have become halves of 16 MB. */
const grownBytes = 20 * 1024 * 1024
const watchMillis = 1000

/** A look at the young generation: past this size it grows no more. That of a quiet node shrinks, and may grow again. */
export const makeWatch = (grownBytes: number) => (): void =>
  CollectorFlags.setYoungGrowth(youngBytes() > grownBytes ? 1 : CollectorFlags.youngGrowthAtStart)

/** So many percent the heap and all buffers may grow before a major collection, once a node has started. */
const heapGrowth = 100

/** Looks after the collector as long as it runs; a start is over by the first look. */
export const lookAfter: Effect.Effect<never> = Effect.suspend(() => {
  const restrainYoung = makeWatch(grownBytes)
  const look = Effect.sync(() => {
    restrainYoung()
    CollectorFlags.setHeapGrowth(heapGrowth)
  })
  return Effect.forever(Effect.delay(look, watchMillis))
})

const youngBytes = (): number =>
  NodeV8.getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0
