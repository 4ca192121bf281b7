/**
 * Many runs: a state machine is proved on as many seeds as there is time for.
 *
 * The first run that fails ends it. The failure names the seed, the schedule after shrinking, and the last
 * events before the end; the same seed shows the same again, anywhere.
 */
import * as Effect from "effect/Effect"
import type { StateMachineClass } from "../StateMachine.ts"
import * as Coverage from "./simulation/Coverage.ts"
import * as Plan from "./simulation/Plan.ts"
import { shrink } from "./simulation/Shrink.ts"
import * as Simulation from "./Simulation.ts"
import type { Workload } from "./Workload.ts"

export interface Options<Command, View> extends Plan.Bounds, Simulation.RunOptions {
  /** The first seed; the following runs take the following numbers. Default 1. */
  readonly seed?: number
  /** How many runs. Default 100. */
  readonly runs?: number
  /** Told after each run in which everything held; `false` ends the simulation early. */
  readonly onRun?: (progress: Summary, run: Simulation.Report<Command, View>) => boolean | undefined
}

/** What all runs together have met. */
export interface Summary {
  readonly runs: number
  /** The seed of the last run. */
  readonly seed: number
  readonly events: number
  readonly virtualMillis: number
  readonly operations: number
  readonly counters: Coverage.Counters
}

/** A run has failed. The message is written for a person. */
export class SimulationFailed extends Error {
  readonly seed: number
  readonly property: string
  /** The plan as drawn, and as small as it could be made. */
  readonly plan: Plan.Plan
  readonly shrunk: Plan.Plan
  /** The run of the shrunk plan, with its trace. */
  readonly report: Simulation.Report<unknown, unknown>

  constructor(options: {
    readonly seed: number
    readonly plan: Plan.Plan
    readonly failure: Simulation.Failed
    readonly report: Simulation.Report<unknown, unknown>
  }) {
    super(describe(options))
    this.name = "SimulationFailed"
    this.seed = options.seed
    this.property = options.failure.property
    this.plan = options.plan
    this.shrunk = options.report.plan
    this.report = options.report
  }
}

/** Runs seed after seed; dies with {@link SimulationFailed} at the first failure. */
export const simulate = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  workload: Workload<Command, View>,
  options: Options<Command, View> = {}
): Effect.Effect<Summary> =>
  Effect.gen(function* () {
    const first = options.seed ?? 1
    let summary = nothingYet(first)
    for (let seed = first; seed < first + (options.runs ?? 100); seed++) {
      const report = runSeed(machine, workload, seed, options)
      if (report.failure !== undefined)
        return yield* Effect.die(explain(machine, workload, options, seed, report))
      summary = withRun(summary, { ...report, seed, operations: report.history.length })
      if (options.onRun?.(summary, report) === false) break
      // A run is one synchronous call; let the rest of the program live in between.
      yield* Effect.yieldNow
    }
    return summary
  })

/** The one run that a seed stands for. */
export const runSeed = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  workload: Workload<Command, View>,
  seed: number,
  options: Plan.Bounds & Simulation.RunOptions
): Simulation.Report<Command, View> =>
  Simulation.run(machine, workload, Plan.draw(String(seed), options), options)

/** A summary of no runs. */
export const nothingYet = (seed: number): Summary => ({
  runs: 0,
  seed,
  events: 0,
  virtualMillis: 0,
  operations: 0,
  counters: Coverage.zero()
})

/** A summary with one more run, of which these are the figures; a counter that is not among them is 0. */
export const withRun = (
  summary: Summary,
  run: Omit<Summary, "runs" | "counters"> & { readonly counters: Partial<Coverage.Counters> }
): Summary => ({
  runs: summary.runs + 1,
  seed: run.seed,
  events: summary.events + run.events,
  virtualMillis: summary.virtualMillis + run.virtualMillis,
  operations: summary.operations + run.operations,
  counters: Coverage.add(summary.counters, { ...Coverage.zero(), ...run.counters })
})

const explain = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  workload: Workload<Command, View>,
  options: Options<Command, View>,
  seed: number,
  report: Simulation.Report<Command, View>
): SimulationFailed => {
  const { plan, failure } = report
  const again = (smaller: Plan.Plan) =>
    Simulation.run(machine, workload, smaller, { ...options, trace: false })
  const shrunk = shrink(plan, (smaller) => again(smaller).failure?.property === failure!.property)
  const traced = Simulation.run(machine, workload, shrunk, { ...options, trace: true })
  return new SimulationFailed({
    seed,
    plan,
    failure: traced.failure ?? failure!,
    report: traced as Simulation.Report<unknown, unknown>
  })
}

/** Events shown before the end. */
const shownEvents = 60

const describe = (options: {
  readonly seed: number
  readonly failure: Simulation.Failed
  readonly report: Simulation.Report<unknown, unknown>
}): string => {
  const { faults, ...rest } = options.report.plan
  return [
    `${options.failure.property}: ${options.failure.message.split("\n")[0]}`,
    "",
    `seed ${options.seed}; again with: simulate(machine, workload, { seed: ${options.seed}, runs: 1 })`,
    `after shrinking: ${JSON.stringify(rest)}`,
    ...faults.map(
      ({ atMillis, forMillis, fault }) => `  at ${atMillis} ms for ${forMillis} ms: ${JSON.stringify(fault)}`
    ),
    "",
    ...options.report.trace.slice(-shownEvents)
  ].join("\n")
}
