/**
 * What a show says and how it ends: 0 everything held, 1 something did not. A show is a run of real
 * processes that prints what it saw in figures.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** What the show is to show did not hold. */
export class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

/** Says that something holds, or breaks off. */
export const hold = (condition: boolean, what: string): Effect.Effect<void, Broken> =>
  condition ? Console.log(`ok      ${what}`) : Effect.fail(new Broken({ message: what }))

export const note = (what: string): Effect.Effect<void> => Console.log(`        ${what}`)

/** Runs a show in this process. */
export const run = (show: Effect.Effect<void, unknown>): void => {
  Effect.runCallback(show, {
    onExit: (exit) => {
      if (Exit.isSuccess(exit)) return
      const error = Cause.squash(exit.cause)
      process.stdout.write(`BROKEN  ${error instanceof Broken ? error.message : Cause.pretty(exit.cause)}\n`)
      process.exitCode = 1
    }
  })
}

/** Of an odd number of figures the middle one, of an even number the upper of the two. */
export const median = (figures: ReadonlyArray<number>): number =>
  figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)] ?? Number.NaN
