/**
 * Where remote clients wait to hear of another leader than the one that they doubt.
 *
 * A client whose node gives no answers could ask the others again and again who leads. Here its question stays
 * until the node knows, so that the client hears as soon as it does, and asks once.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { Watchers } from "./Watchers.ts"

/** Answers if it can by now, and tells whether it has. */
export type Question = () => boolean

export interface LeaderNews {
  /** Answers at once, or keeps the question until it can be answered. */
  readonly ask: (question: Question) => void
  /** Nobody waits for the answer any more. */
  readonly forget: (question: Question) => void
}

/** Listens until the scope closes. */
export const make = (watchers: Watchers): Effect.Effect<LeaderNews, never, Scope.Scope> =>
  Effect.gen(function* () {
    const questions = new Set<Question>()
    const occupied = Latch.makeUnsafe(false)

    const forget = (question: Question): void => {
      questions.delete(question)
      if (questions.size === 0) occupied.closeUnsafe()
    }

    const answer = (): void => {
      for (const question of questions) if (question()) forget(question)
    }

    const lookAndWait = Effect.suspend(() => {
      // Taken before the look: news may come right behind others, before this fiber waits again.
      const changed = watchers.next
      answer()
      return changed
    })

    yield* occupied.await.pipe(
      Effect.andThen(lookAndWait),
      Effect.forever,
      Effect.annotateLogs({ fiber: "leader news" }),
      Effect.forkScoped
    )
    return {
      ask: (question) => {
        if (question()) return
        questions.add(question)
        occupied.openUnsafe()
      },
      forget
    }
  })
