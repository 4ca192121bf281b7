/** `effect-raft sim`: the key-value machine on simulated clusters under faults, seed after seed. */
import * as Simulate from "@effect-raft/core/testing/Simulate"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as Clock from "effect/Clock"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as NodeOs from "node:os"
import { CommandFailed, failed } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import { workload } from "../sim/KvWorkload.ts"
import * as SimFiles from "../sim/SimFiles.ts"
import * as SimReport from "../sim/SimReport.ts"
import * as SimRuns from "../sim/SimRuns.ts"
import * as SimSettings from "../sim/SimSettings.ts"
import * as SimStorage from "../sim/SimStorage.ts"

const parseDuration = (text: string): number => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  if (amount === undefined || unit === undefined) throw new Error("a time such as 90s, 10m or 2h")
  return Number(amount) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as "ms" | "s" | "m" | "h"]
}

const flags = {
  seed: Flags.intAtLeast("seed", 0).pipe(
    Flag.withDescription("The first seed; the runs after it take the next numbers"),
    Flag.withDefault(1)
  ),
  runs: Flags.intAtLeast("runs", 1).pipe(
    Flag.withDescription("How many runs; 100 by default"),
    Flag.optional
  ),
  time: Flag.String("time").pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription("Stop after this much real time, such as 90s, 10m or 2h"),
    Flag.mapTryCatch(parseDuration, (error) => (error as Error).message),
    Flag.optional
  ),
  nodes: Flags.intAtLeast("nodes", 1).pipe(
    Flag.filter(
      (nodes) => nodes <= 7,
      () => "at most 7"
    ),
    Flag.withDescription("How many nodes; drawn from 1 to 7 by default"),
    Flag.optional
  ),
  duration: Flag.String("duration").pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription("Virtual time of a run before the faults end; 5 to 20 seconds by default"),
    Flag.mapTryCatch(parseDuration, (error) => (error as Error).message),
    Flag.optional
  ),
  rate: Flags.intAtLeast("rate", 1).pipe(
    Flag.withDescription("Operations of all clients in a virtual second; drawn from 5 to 100 by default"),
    Flag.optional
  ),
  heartbeat: Flags.intAtLeast("heartbeat", 1).pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription("How often a leader says that it is alive; 100 by default"),
    Flag.optional
  ),
  faults: Flag.Literals("faults", SimSettings.faultKinds).pipe(
    Flag.withDescription(
      "swarm: each seed draws its faults; none: nothing goes wrong, to see how fast the simulation is; swarm by default"
    ),
    Flag.withDefault("swarm" as const)
  ),
  storage: Flag.Literals("storage", SimStorage.kinds).pipe(
    Flag.withDescription(
      "What the nodes write on: memory, the write-ahead log on files that forget and tear (wal), or the one or the " +
        "other, drawn from the seed (mixed)"
    ),
    Flag.withDefault("mixed" as const)
  ),
  jobs: Flags.intAtLeast("jobs", 1).pipe(
    Flag.withDescription("How many runs go on at the same time; one for each processor by default"),
    Flag.optional
  ),
  trace: Flag.String("trace").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "Write the trace of the last run, or of the one that failed, as ndjson (docs/trace.md)"
    ),
    Flag.optional
  ),
  history: Flag.String("history").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Write what its clients asked and were told, as ndjson (docs/history.md)"),
    Flag.optional
  ),
  untilFailure: Flag.Boolean("until-failure").pipe(
    Flag.withDescription("Go on until something fails, or --time is over"),
    Flag.withDefault(false)
  )
}

export const sim = Command.make(
  "sim",
  flags,
  Effect.fnUntraced(function* (input) {
    const startMillis = yield* Clock.currentTimeMillis
    const clock = yield* Clock.Clock
    const realMillis = () => clock.currentTimeMillisUnsafe() - startMillis
    const limitMillis = Option.getOrElse(input.time, () => Number.POSITIVE_INFINITY)
    const isOpenEnded = input.untilFailure || (Option.isSome(input.time) && Option.isNone(input.runs))
    const runs = isOpenEnded ? Number.POSITIVE_INFINITY : Option.getOrElse(input.runs, () => 100)
    const showProgress = makeProgress(runs, realMillis)
    const files = { trace: Option.getOrUndefined(input.trace), history: Option.getOrUndefined(input.history) }
    const settings = settingsOf(input)

    const { summary, failedSeed } = yield* SimRuns.runAll({
      firstSeed: input.seed,
      runs,
      jobs: Option.getOrElse(input.jobs, () => NodeOs.availableParallelism()),
      settings,
      onRun: (progress) => {
        showProgress(progress)
        return realMillis() < limitMillis
      }
    }).pipe(Effect.orDie)
    const tookMillis = realMillis()
    if (failedSeed !== undefined) return yield* explain(failedSeed, settings, files)
    if (files.trace !== undefined || files.history !== undefined) {
      const options = { ...SimSettings.toOptions(settings), trace: true }
      yield* SimFiles.write(files, Simulate.runSeed(KvMachine, workload, summary.seed, options))
    }
    yield* Console.log(SimReport.summaryOf(summary, tookMillis))
  })
).pipe(
  Command.withDescription(
    "Run the key-value machine on simulated clusters: the shipped code on virtual time, with faults drawn from a " +
      "seed. The paper's safety properties are checked at every step, the clients' history for linearizability, and " +
      "in the end that the cluster recovers. The same seed gives the same run on any machine. " +
      "Exit codes: 0 everything held; 1 something did not, with the seed and the shortest schedule found; 2 wrong usage."
  ),
  Command.withShortDescription("Look for bugs in simulated clusters")
)

const settingsOf = (input: {
  readonly nodes: Option.Option<number>
  readonly duration: Option.Option<number>
  readonly rate: Option.Option<number>
  readonly heartbeat: Option.Option<number>
  readonly faults: SimSettings.SimSettings["faults"]
  readonly storage: SimSettings.SimSettings["storage"]
}): SimSettings.SimSettings => ({
  nodes: Option.getOrUndefined(input.nodes),
  durationMillis: Option.getOrUndefined(input.duration),
  operationsPerSecond: Option.getOrUndefined(input.rate),
  heartbeatIntervalMillis: Option.getOrUndefined(input.heartbeat),
  faults: input.faults,
  storage: input.storage
})

/**
 * The same seed fails in the same way again, here: with the shortest schedule that still does, and a trace.
 * A failed run is the news that was looked for, not a crash of this program.
 */
const explain = (
  seed: number,
  settings: SimSettings.SimSettings,
  files: SimFiles.Files
): Effect.Effect<never, CommandFailed, FileSystem.FileSystem> =>
  Simulate.simulate(KvMachine, workload, { ...SimSettings.toOptions(settings), seed, runs: 1 }).pipe(
    Effect.andThen(
      Effect.die(
        new Error(`seed ${seed} failed on another thread and holds here: a run is not deterministic`)
      )
    ),
    Effect.catchDefect((defect) =>
      defect instanceof Simulate.SimulationFailed
        ? Effect.andThen(
            SimFiles.write(files, defect.report as SimFiles.Run),
            Effect.fail(
              new CommandFailed({
                message: `${defect.message}\n\nagain: effect-raft sim --seed ${seed} --runs 1${SimSettings.toFlags(settings)}`,
                exitCode: failed
              })
            )
          )
        : Effect.die(defect)
    )
  )

/** Real time between two progress lines. */
const progressEveryMillis = 200

const makeProgress = (runs: number, realMillis: () => number) => {
  let shownMillis = Number.NEGATIVE_INFINITY
  return (progress: Simulate.Summary): void => {
    const nowMillis = realMillis()
    if (!process.stderr.isTTY || nowMillis - shownMillis < progressEveryMillis) return
    shownMillis = nowMillis
    process.stderr.write(`\r\u001B[K${SimReport.progressLine(progress, { runs, realMillis: nowMillis })}`)
  }
}
