/** `effect-raft sim`: the key-value machine on simulated clusters under faults, seed after seed. */
import * as Simulate from "@effect-raft/core/testing/Simulate"
import type * as Plan from "@effect-raft/core/testing/simulation/Plan"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as Clock from "effect/Clock"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as NodeOs from "node:os"
import { CommandFailed, failed, misuse } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import { workload } from "../sim/KvWorkload.ts"
import * as SimFiles from "../sim/SimFiles.ts"
import * as SimJobs from "../sim/SimJobs.ts"
import * as SimReport from "../sim/SimReport.ts"
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
  faults: Flag.Literals("faults", ["swarm", "none"]).pipe(
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
    Flag.withDescription(
      "How many runs at a time, each in a thread; as many as there are cores by default, " +
        "and one where --trace or --history asks for the files of the last run"
    ),
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
    const bounds: Plan.Bounds = {
      ...optional("size", input.nodes),
      ...optional("durationMillis", input.duration),
      ...optional("operationsPerSecond", input.rate),
      ...optional("heartbeatIntervalMillis", input.heartbeat),
      faults: input.faults
    }
    const onProgress = (progress: Simulate.Summary): boolean => {
      showProgress(progress)
      return realMillis() < limitMillis
    }

    /** One run after the other, in this thread. */
    const simulate = (firstSeed: number, runs: number) =>
      Effect.gen(function* () {
        let lastRun: SimFiles.Run | undefined
        const summary = yield* Simulate.simulate(KvMachine, workload, {
          seed: firstSeed,
          runs,
          ...bounds,
          disks: SimStorage.disksOf(input.storage),
          trace: files.trace !== undefined,
          onRun: (progress, run) => {
            lastRun = run
            return onProgress(progress)
          }
        }).pipe(Effect.catchDefect((defect) => report(defect, files, sameAgain(input))))
        if (lastRun !== undefined) yield* SimFiles.write(files, lastRun)
        return summary
      })

    const wantsFiles = files.trace !== undefined || files.history !== undefined
    const jobs = Option.getOrElse(input.jobs, () => (wantsFiles ? 1 : NodeOs.availableParallelism()))
    if (jobs > 1 && wantsFiles) return yield* misuse("--trace and --history need --jobs 1")
    const summary =
      jobs === 1 || runs === 1
        ? yield* simulate(input.seed, runs)
        : yield* SimJobs.run({
            task: { bounds, storage: input.storage },
            jobs,
            firstSeed: input.seed,
            runs,
            onRun: onProgress
          }).pipe(Effect.catchTag("SeedFailed", ({ seed }) => simulate(seed, 1)))
    yield* Console.log(SimReport.summaryOf(summary, realMillis()))
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

const optional = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.isSome(value) ? ({ [key]: value.value } as { readonly [P in K]?: A }) : {}

/** The flags that make a run of this seed the same. */
const sameAgain = (input: {
  readonly nodes: Option.Option<number>
  readonly duration: Option.Option<number>
  readonly rate: Option.Option<number>
  readonly heartbeat: Option.Option<number>
  readonly faults: "swarm" | "none"
  readonly storage: SimStorage.Kind
}): string =>
  [
    Option.isSome(input.nodes) ? ` --nodes ${input.nodes.value}` : "",
    Option.isSome(input.duration) ? ` --duration ${input.duration.value}ms` : "",
    Option.isSome(input.rate) ? ` --rate ${input.rate.value}` : "",
    Option.isSome(input.heartbeat) ? ` --heartbeat ${input.heartbeat.value}` : "",
    input.faults === "swarm" ? "" : ` --faults ${input.faults}`,
    input.storage === "mixed" ? "" : ` --storage ${input.storage}`
  ].join("")

/** A failed run is the news that was looked for, not a crash of this program. */
const report = (
  defect: unknown,
  files: SimFiles.Files,
  again: string
): Effect.Effect<never, CommandFailed, FileSystem.FileSystem> =>
  defect instanceof Simulate.SimulationFailed
    ? Effect.andThen(
        SimFiles.write(files, defect.report as SimFiles.Run),
        Effect.fail(
          new CommandFailed({
            message: `${defect.message}\n\nagain: effect-raft sim --seed ${defect.seed} --runs 1${again}`,
            exitCode: failed
          })
        )
      )
    : Effect.die(defect)

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
