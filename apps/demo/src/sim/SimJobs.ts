/**
 * Many runs at a time, in threads: runs of different seeds have nothing to do with each other, so a machine
 * with several cores gets through that many more of them.
 *
 * A thread only says whether a run failed. Whoever asked runs that seed again, to see how: the same seed
 * fails the same way.
 */
import type { Summary } from "@effect-raft/core/testing/Simulate"
import * as Coverage from "@effect-raft/core/testing/simulation/Coverage"
import type * as Plan from "@effect-raft/core/testing/simulation/Plan"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as WorkerThreads from "node:worker_threads"
import type * as SimStorage from "./SimStorage.ts"

/** What a thread is to run, but for the seed. */
export interface Task {
  readonly bounds: Plan.Bounds
  readonly storage: SimStorage.Kind
}

/** What came of one run. */
export interface Finding extends Omit<Summary, "runs"> {
  readonly hasFailed: boolean
}

export interface Options {
  readonly task: Task
  /** How many threads. */
  readonly jobs: number
  readonly firstSeed: number
  /** How many runs; may be infinite. */
  readonly runs: number
  /** Told after each run in which everything held; `false` ends the simulation early. */
  readonly onRun: (progress: Summary) => boolean
}

/** The run of this seed failed. */
export class SeedFailed extends Data.TaggedError("SeedFailed")<{ readonly seed: number }> {}

/** Runs seed after seed, several at a time; fails with the first that fails. */
export const run = ({ firstSeed, jobs, onRun, runs, task }: Options): Effect.Effect<Summary, SeedFailed> => {
  let nextSeed = firstSeed
  let isOver = false
  let summary: Summary = {
    runs: 0,
    seed: firstSeed,
    events: 0,
    virtualMillis: 0,
    operations: 0,
    counters: Coverage.zero()
  }

  const note = (finding: Finding): void => {
    summary = {
      runs: summary.runs + 1,
      seed: Math.max(summary.seed, finding.seed),
      events: summary.events + finding.events,
      virtualMillis: summary.virtualMillis + finding.virtualMillis,
      operations: summary.operations + finding.operations,
      counters: Coverage.add(summary.counters, finding.counters)
    }
    if (!onRun(summary)) isOver = true
  }

  const work = Effect.gen(function* () {
    const worker = yield* start(task)
    while (!isOver && nextSeed < firstSeed + runs) {
      const finding = yield* ask(worker, nextSeed++)
      if (finding.hasFailed) return yield* new SeedFailed({ seed: finding.seed })
      note(finding)
    }
  }).pipe(Effect.scoped)

  const threads = Array.from({ length: Math.min(jobs, runs) }, () => work)
  return Effect.map(Effect.all(threads, { concurrency: "unbounded", discard: true }), () => summary)
}

/** The file beside this one, whether it is source or was compiled. */
const workerFile = new URL(`./SimWorker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)

const start = (task: Task): Effect.Effect<WorkerThreads.Worker, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new WorkerThreads.Worker(workerFile, { workerData: task })),
    (worker) => Effect.promise(() => worker.terminate())
  )

/** Has a thread run a seed. A thread that breaks down takes the program with it. */
const ask = (worker: WorkerThreads.Worker, seed: number): Effect.Effect<Finding> =>
  Effect.callback((resume) => {
    const onMessage = (finding: Finding) => {
      worker.off("error", onError)
      resume(Effect.succeed(finding))
    }
    const onError = (cause: Error) => {
      worker.off("message", onMessage)
      resume(Effect.die(cause))
    }
    worker.once("message", onMessage)
    worker.once("error", onError)
    worker.postMessage(seed)
  })
