/**
 * How the cluster tests run: each on a clock of its own that stands at 0, all chance from one seed, and the
 * seed and the last lines of the trace on the screen when a test fails.
 *
 * A test's seed is its name; `RAFT_SEED=... vitest run ...` puts something before it, and so changes the seed
 * of every test. `RAFT_TRACE_LINES=...` shows more of the trace.
 */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as RaftTest from "../../src/testing/RaftTest.ts"
import type { StateMachineClass } from "../../src/StateMachine.ts"
import { Journal } from "./Journal.ts"

export type ClusterOptions = Omit<RaftTest.Options, "seed">
export type JournalCluster = RaftTest.Cluster<string, number, ReadonlyArray<string>>

const traceLines = Number(process.env["RAFT_TRACE_LINES"] ?? 40)

/** Runs in virtual time, with chance from `seed`. The clock warns late: a long test is busy, not stuck. */
export const virtually = <A, E>(seed: string, body: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  body.pipe(
    Effect.scoped,
    Random.withSeed(seed),
    Effect.provide(TestClock.layer({ warningDelay: "1 minute" }), { local: true })
  )

/** Tests on clusters of a machine. */
export const clusterTestOf =
  <Self, Command, Reply, View>(machine: StateMachineClass<Self, Command, Reply, View>) =>
  <E>(
    name: string,
    options: ClusterOptions,
    body: (cluster: RaftTest.Cluster<Command, Reply, View>) => Effect.Effect<void, E, Scope.Scope>
  ): void => {
    const seed = `${process.env["RAFT_SEED"] ?? ""}${name}`
    it.effect(name, () =>
      virtually(
        seed,
        Effect.flatMap(RaftTest.make(machine, { ...options, seed }), (cluster) =>
          Effect.onError(body(cluster), () => show(seed, cluster.trace()))
        )
      )
    )
  }

/** A test on a cluster of journals. */
export const clusterTest = clusterTestOf(Journal)

const show = (seed: string, trace: ReadonlyArray<string>) =>
  Effect.sync(() => {
    process.stderr.write(`${[...trace.slice(-traceLines), `seed: ${seed}`].join("\n")}\n`)
  })
