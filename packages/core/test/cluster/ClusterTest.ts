/**
 * How the cluster tests run: each on a clock of its own that stands at 0, all chance from one seed, and the
 * seed and the last lines of the trace on the screen when a test fails.
 *
 * `RAFT_SEED=... vitest run ...` runs the tests with another seed.
 */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as RaftTest from "../../src/testing/RaftTest.ts"
import { Journal } from "./Journal.ts"

export type ClusterOptions = Omit<RaftTest.Options, "seed">
export type JournalCluster = RaftTest.Cluster<string, number, ReadonlyArray<string>>

/** Lines of the trace that a failed test shows. */
const traceLines = Number(process.env["RAFT_TRACE_LINES"] ?? 60)

/** A test on a cluster of journals. */
export const clusterTest = <E>(
  name: string,
  options: ClusterOptions,
  body: (cluster: JournalCluster) => Effect.Effect<void, E, Scope.Scope>
): void => {
  const seed = process.env["RAFT_SEED"] ?? name
  it.effect(name, () =>
    RaftTest.make(Journal, { ...options, seed }).pipe(
      Effect.flatMap((cluster) => Effect.onError(body(cluster), () => show(seed, cluster))),
      Effect.scoped,
      Random.withSeed(seed),
      // It warns late: a long test is busy, not stuck.
      Effect.provide(TestClock.layer({ warningDelay: "1 minute" }), { local: true })
    )
  )
}

const show = (seed: string, cluster: JournalCluster) =>
  Effect.sync(() => {
    const lines = [...cluster.trace().slice(-traceLines), `RAFT_SEED='${seed}'`]
    process.stderr.write(`${lines.join("\n")}\n`)
  })
