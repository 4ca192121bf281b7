/**
 * The voice of the story: every line with the time since its beginning, and every claim with whether it
 * held. What did not hold is remembered and decides how the story ends.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

export interface Narrator {
  /** Says what is being done. The headline is a word, or nothing for a line that belongs to the last. */
  readonly say: (headline: string, text: string) => Effect.Effect<void>
  /** Says what was found. What did not hold is marked. */
  readonly check: (headline: string, claim: string, held: boolean) => Effect.Effect<void>
  /** The claims that did not hold. */
  readonly broken: () => ReadonlyArray<string>
}

export const make: Effect.Effect<Narrator> = Effect.gen(function* () {
  const beganMillis = yield* Clock.currentTimeMillis
  const broken: Array<string> = []
  const say = Effect.fnUntraced(function* (headline: string, text: string) {
    const elapsedMillis = (yield* Clock.currentTimeMillis) - beganMillis
    yield* Console.log(`[${seconds(elapsedMillis).padStart(6)}] ${headline.padEnd(8)} ${text}`)
  })
  return {
    say,
    check: (headline, claim, held) => {
      if (!held) broken.push(claim)
      return say(headline, held ? claim : `DID NOT HOLD: ${claim}`)
    },
    broken: () => broken
  }
})

/** "0.71 s". */
export const seconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`
