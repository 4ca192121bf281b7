/**
 * Seed after seed, on as many threads as there are jobs: each thread runs whole simulations, one after the
 * other, and says what a run came to. Runs share nothing, so what is found does not depend on how many
 * threads there are; results are looked at in the order of their seeds.
 */
import * as Simulate from "@effect-raft/core/testing/Simulate"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { WorkerError } from "effect/workers/WorkerError"
import { Worker } from "node:worker_threads"
import * as Modules from "../Modules.ts"
import { workload } from "./KvWorkload.ts"
import { SimSettings, toOptions } from "./SimSettings.ts"

/** What one run came to, in numbers. */
const Figures = Schema.Struct({
  /** Everything held. */
  held: Schema.Boolean,
  events: Schema.Natural,
  virtualMillis: Schema.Number,
  operations: Schema.Natural,
  counters: Schema.Record(Schema.String, Schema.Natural)
})
type Figures = typeof Figures.Type

/** What a thread can be asked for. */
export const SimRpcs = RpcGroup.make(
  Rpc.make("Run", { payload: { seed: Schema.Natural, settings: SimSettings }, success: Figures })
)

/** One simulation, here and now. */
export const runHere = (seed: number, settings: SimSettings): Figures => {
  const report = Simulate.runSeed(KvMachine, workload, seed, toOptions(settings))
  return {
    held: report.failure === undefined,
    events: report.events,
    virtualMillis: report.virtualMillis,
    operations: report.history.length,
    counters: { ...report.counters }
  }
}

type Run = (seed: number) => Effect.Effect<Figures, RpcClientError>

/** A way to run simulations on `jobs` threads; this one, where one is enough. */
const makeRun = (jobs: number, settings: SimSettings): Effect.Effect<Run, WorkerError, Scope.Scope> =>
  jobs === 1
    ? Effect.succeed((seed) =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => runHere(seed, settings))
        )
      )
    : Effect.gen(function* () {
        const threads = yield* Layer.build(
          RpcClient.layerProtocolWorker({ size: jobs, concurrency: 1 }).pipe(
            Layer.provide(
              NodeWorker.layer(() => new Worker(Modules.simWorker, { workerData: Modules.compileCache }))
            )
          )
        )
        const client = yield* Effect.provide(RpcClient.make(SimRpcs), threads)
        return (seed) => client.Run({ seed, settings })
      })

export interface Options {
  readonly firstSeed: number
  /** May be infinite. */
  readonly runs: number
  readonly jobs: number
  readonly settings: SimSettings
  /** Told after each run in which everything held; `false` ends the simulation early. */
  readonly onRun: (progress: Simulate.Summary) => boolean
}

export interface Outcome {
  /** Of the runs in which everything held. */
  readonly summary: Simulate.Summary
  /** The first seed with which something did not. */
  readonly failedSeed: number | undefined
}

/** Runs that a thread may be ahead of the slowest, since results are taken in order: runs are not equally long. */
const ahead = 4

/** Runs until all are done, something did not hold, or `onRun` has enough. */
export const runAll = (options: Options): Effect.Effect<Outcome, WorkerError | RpcClientError> =>
  Effect.gen(function* () {
    const jobs = Math.min(options.jobs, options.runs)
    const run = yield* makeRun(jobs, options.settings)
    let summary = Simulate.nothingYet(options.firstSeed)
    let failedSeed: number | undefined
    yield* seedsOf(options).pipe(
      Stream.mapEffect((seed) => Effect.map(run(seed), (figures) => ({ seed, figures })), {
        concurrency: jobs * ahead
      }),
      Stream.takeWhile(({ seed, figures }) => {
        if (!figures.held) {
          failedSeed = seed
          return false
        }
        summary = Simulate.withRun(summary, { ...figures, seed })
        return options.onRun(summary)
      }),
      Stream.runDrain
    )
    return { summary, failedSeed }
  }).pipe(Effect.scoped)

const seedsOf = ({ firstSeed, runs }: Options): Stream.Stream<number> =>
  Stream.iterate(firstSeed, (seed) => seed + 1).pipe(Stream.takeWhile((seed) => seed < firstSeed + runs))
