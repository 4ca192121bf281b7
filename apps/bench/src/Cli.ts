/**
 * The command line of the benchmark: which scenarios, how thorough, and where the lines go.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Os from "node:os"
import * as Measurement from "./Measurement.ts"
import type { Bench, Finding, Scenario } from "./Scenario.ts"
import * as Summary from "./Summary.ts"
import { core } from "./scenarios/Core.ts"
import { disk } from "./scenarios/Disk.ts"
import { simulation } from "./scenarios/Simulation.ts"
import { failover } from "./scenarios/Failover.ts"
import { idle } from "./scenarios/Idle.ts"
import { memory } from "./scenarios/Memory.ts"
import { restart } from "./scenarios/Restart.ts"
import { scale } from "./scenarios/Scale.ts"
import { versus } from "./scenarios/Versus.ts"

const scenarios: ReadonlyArray<Scenario> = [
  disk,
  versus,
  failover,
  restart,
  idle,
  memory,
  scale,
  core,
  simulation
]

const flags = {
  names: Argument.Literals(
    "scenario",
    scenarios.map(({ name }) => name)
  ).pipe(Argument.withDescription("What to measure; everything where nothing is named"), Argument.variadic()),
  quick: Flag.Boolean("quick").pipe(
    Flag.withDescription("One short round of each: whether it works, not a figure to be quoted"),
    Flag.withDefault(false)
  ),
  rounds: Flag.Int("rounds").pipe(
    Flag.filter(
      (rounds) => rounds >= 1,
      () => "a whole number of at least 1"
    ),
    Flag.withDescription("Repetitions of each measurement; 5 by default, 1 with --quick"),
    Flag.optional
  ),
  seconds: Flag.Finite("seconds").pipe(
    Flag.filter(
      (seconds) => seconds > 0,
      () => "a number above 0"
    ),
    Flag.withDescription("How long one measurement takes; 4 by default, 1 with --quick"),
    Flag.optional
  ),
  minutes: Flag.Finite("minutes").pipe(
    Flag.filter(
      (minutes) => minutes > 0,
      () => "a number above 0"
    ),
    Flag.withDescription(
      "How long `memory` watches the servers, etcd for five at most; 20 by default, half a minute with --quick"
    ),
    Flag.optional
  ),
  generators: Flag.Int("generators").pipe(
    Flag.filter(
      (generators) => generators >= 1,
      () => "a whole number of at least 1"
    ),
    Flag.withDescription(
      "Processes that the clients of `versus` are divided among, of every system alike; 1 by default. Times are then " +
        "those of the slowest"
    ),
    Flag.withDefault(1)
  ),
  only: Flag.String("only").pipe(
    Flag.withMetavar("TEXT"),
    Flag.withDescription("Only the cases whose description contains this, such as `clients 64`"),
    Flag.withDefault("")
  ),
  json: Flag.File("json").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Append the lines of JSON to FILE too"),
    Flag.optional
  ),
  directory: Flag.Directory("directory", { mustExist: true }).pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Lay the data here, on the disk to be measured; the working directory by default"),
    Flag.withDefault(".")
  )
}

const bench = Command.make(
  "bench",
  flags,
  Effect.fnUntraced(function* (input) {
    const chosen = scenarios.filter(({ name }) => input.names.length === 0 || input.names.includes(name))
    for (const scenario of chosen) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const directory = yield* fs.makeTempDirectoryScoped({
            directory: input.directory,
            prefix: ".bench-"
          })
          yield* runOne(scenario, {
            directory,
            isQuick: input.quick,
            only: input.only,
            generators: input.generators,
            rounds: Option.getOrElse(input.rounds, () => (input.quick ? 1 : 5)),
            seconds: Option.getOrElse(input.seconds, () => (input.quick ? 1 : 4)),
            minutes: Option.getOrElse(input.minutes, () => (input.quick ? 0.5 : 20)),
            file: input.json
          })
        })
      )
    }
  })
).pipe(
  Command.withDescription(
    `Measure effect-raft: ${scenarios.map(({ name, summary }) => `${name}, ${summary}`).join("; ")}. ` +
      "Prints one line of JSON for each measurement and a table of medians at the end; ± is half of the distance " +
      "between the best and the worst round."
  )
)

const runOne = Effect.fnUntraced(function* (
  scenario: Scenario,
  options: Omit<Bench, "report"> & { readonly file: Option.Option<string> }
) {
  const fs = yield* FileSystem.FileSystem
  const found: Array<Measurement.Measurement> = []
  const report = Effect.fnUntraced(function* (finding: Finding) {
    const measurement = { ...finding, scenario: scenario.name, machineLoad: Os.loadavg()[0] ?? 0 }
    found.push(measurement)
    const line = Measurement.encodeLine(measurement)
    yield* Console.log(line)
    if (Option.isSome(options.file)) {
      yield* Effect.orDie(fs.writeFileString(options.file.value, `${line}\n`, { flag: "a" }))
    }
  })
  yield* scenario.run({ ...options, report })
  yield* Console.log(`\n${scenario.name}: ${scenario.summary}\n${Summary.table(found, scenario.layout)}\n`)
})

/** Runs the benchmark with these arguments, those after the program's name. */
export const run = (args: ReadonlyArray<string>) => Command.runWith(bench, { version: "0.0.0" })(args)
