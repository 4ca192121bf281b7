/**
 * What a scenario is, and what it is given: how long to measure, a directory on the disk to be measured,
 * and somewhere to put what it finds. A scenario is a file in `scenarios/`.
 */
import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Case } from "./Measurement.ts"
import type { Layout } from "./Summary.ts"

/** A measurement that could not be made, in words for the person who asked for it. */
export class BenchFailed extends Schema.TaggedError<BenchFailed>()("BenchFailed", {
  message: Schema.String
}) {
  override get [CliError.userMessage]() {
    return this.message
  }
}

/** A measurement, but for what the bench adds to it by itself. */
export interface Finding {
  readonly subject: string
  readonly case: Case
  readonly round: number
  readonly figures: Figures
}

export interface Bench {
  /** Repetitions of each measurement. */
  readonly rounds: number
  /** How long one measurement takes, without its warm-up. */
  readonly seconds: number
  /** How long the servers run that are watched for growth. */
  readonly minutes: number
  /** Processes that the clients of `versus` are divided among, of every system alike. */
  readonly generators: number
  /** A fraction of the usual sizes will do: a look whether it works, not a figure to be quoted. */
  readonly isQuick: boolean
  /** Only the cases whose description contains this are measured. */
  readonly only: string
  /** An empty directory of this scenario's own. */
  readonly directory: string
  readonly report: (finding: Finding) => Effect.Effect<void>
}

export type Figures = Readonly<Record<string, number>>

/** What a scenario may use. */
export type Needs = Scope.Scope | FileSystem.FileSystem

export interface Scenario {
  readonly name: string
  readonly summary: string
  readonly layout: Layout
  readonly run: (bench: Bench) => Effect.Effect<void, BenchFailed, Needs>
}

/** Something to be measured in every round. */
export interface Variant<E, R> {
  readonly subject: string
  readonly case: Case
  readonly measure: Effect.Effect<Figures, E, R>
}

/**
 * Measures the variants in turns, round after round, so that what the machine does besides falls on all
 * of them alike.
 */
export const inTurns = <E, R>(
  bench: Bench,
  variants: ReadonlyArray<Variant<E, R>>
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let round = 1; round <= bench.rounds; round++) {
      for (const variant of variants) {
        const figures = yield* variant.measure
        yield* bench.report({ subject: variant.subject, case: variant.case, round, figures })
      }
    }
  })
