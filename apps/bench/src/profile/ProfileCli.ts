/**
 * `node scripts/profile.ts`: three servers under load with Node's profiler on, and where the time of
 * leader, follower and client went, in microseconds per operation.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as NodePath from "node:path"
import * as Cluster from "../cluster/Cluster.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as LoadRun from "../load/LoadRun.ts"
import { operations } from "../load/LoadSpec.ts"
import { BenchFailed } from "../Scenario.ts"
import * as Profile from "./Profile.ts"

const flags = {
  operation: Flag.Literals("operation", operations).pipe(
    Flag.withDescription("What the clients do; `put` by default"),
    Flag.withDefault("put")
  ),
  clients: Flag.Int("clients").pipe(Flag.withDescription("64 by default"), Flag.withDefault(64)),
  seconds: Flag.Finite("seconds").pipe(Flag.withDescription("4 by default"), Flag.withDefault(4)),
  functions: Flag.Int("functions").pipe(
    Flag.withDescription("Show this many of the costliest functions of each process; 12 by default"),
    Flag.withDefault(12)
  ),
  directory: Flag.Directory("directory", { mustExist: true }).pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Lay the data here; the working directory by default"),
    Flag.withDefault(".")
  )
}

const warmUpSeconds = 4
const valueBytes = 256

const profile = Command.make(
  "profile",
  flags,
  Effect.fnUntraced(function* ({ clients, directory, functions, operation, seconds }) {
    const fs = yield* FileSystem.FileSystem
    const place = yield* fs.makeTempDirectoryScoped({ directory, prefix: ".bench-" })
    const profilesOf = (who: string) => NodePath.join(place, `profile-${who}`)
    const flagsOf = (who: string) => ["--cpu-prof", "--cpu-prof-dir", profilesOf(who)]

    const cluster = yield* RaftCluster.make({ directory: place, size: 3, nodeFlags: flagsOf })
    const { addressOf, members } = cluster.native
    yield* Cluster.startAll(cluster.native)
    const leader = yield* cluster.native.leader
    const { figures, operations } = yield* LoadRun.generate(
      {
        protocol: "native",
        endpoints: [addressOf(leader)],
        queryAt: "leader",
        operation,
        clients,
        valueBytes,
        keys: 1000,
        seconds,
        warmUpSeconds
      },
      { nodeFlags: flagsOf("client") }
    )
    yield* Effect.forEach(members, ({ kill }) => kill("SIGTERM"), { concurrency: "unbounded" })
    yield* Console.log(
      `${operation}, ${clients} clients: ${Math.round(figures["perSecond"] ?? 0)} per second`
    )

    const follower = members.find((member) => member !== leader)!
    for (const [title, who] of [
      [`leader ${leader.id}`, leader.id],
      [`follower ${follower.id}`, follower.id],
      ["client", "client"]
    ] as const) {
      const breakdown = Profile.breakDown(yield* readProfile(profilesOf(who)), seconds * 1_000_000)
      const perOp = (micros: number) => (micros / operations).toFixed(2).padStart(7)
      yield* Console.log(`\n${title}: ${perOp(breakdown.busyMicros).trim()} µs per operation`)
      for (const [part, micros] of breakdown.parts) yield* Console.log(`${perOp(micros)}  ${part}`)
      for (const [name, micros] of breakdown.functions.slice(0, functions)) {
        yield* Console.log(`        ${perOp(micros)}  ${name}`)
      }
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Profile three servers and a native client under load, and show where the processor time of an operation goes. " +
      "The profiler itself makes everything slower; the parts are to be compared with each other."
  )
)

const readProfile = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const [name] = yield* fs.readDirectory(directory)
  if (name === undefined) return yield* new BenchFailed({ message: `No profile was written to ${directory}` })
  return yield* Profile.decode(yield* fs.readFileString(NodePath.join(directory, name)))
})

/** Runs the command with these arguments, those after the program's name. */
export const run = (args: ReadonlyArray<string>) => Command.runWith(profile, { version: "0.0.0" })(args)
