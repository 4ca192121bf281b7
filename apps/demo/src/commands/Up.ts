/**
 * `effect-raft up`: a cluster of processes on this machine, shown until Ctrl-C.
 */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ClusterPlan from "../ClusterPlan.ts"
import { untilStopped } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import * as Up from "../Up.ts"

/** The flags of a local cluster; `demo` has them too. */
export const flags = {
  nodes: Flags.intAtLeast("nodes", 1).pipe(
    Flag.withMetavar("COUNT"),
    Flag.withDescription(`How many nodes, at most ${ClusterPlan.maxNodes}; 3 by default`),
    Flag.filter(
      (count) => count <= ClusterPlan.maxNodes,
      () => `at most ${ClusterPlan.maxNodes} nodes`
    ),
    Flag.optional
  ),
  directory: Flags.directory.pipe(
    Flag.withDescription(
      "Where the nodes' data and logs lie; used again, it continues with the data. By default .effect-raft, " +
        "and a fresh temporary one for the story of `demo`"
    ),
    Flag.optional
  ),
  basePort: Flags.intAtLeast("base-port", 1).pipe(
    Flag.withMetavar("P"),
    Flag.withDescription(
      "Node i listens for peers at P+i, for clients by HTTP at P+100+i and for native ones at P+200+i; 7000 by default"
    ),
    Flag.filter(
      (port) => port <= ClusterPlan.maxBasePort,
      () => `at most ${ClusterPlan.maxBasePort}`
    ),
    Flag.optional
  ),
  clusterId: Flags.name("cluster-id").pipe(
    Flag.withDescription("The cluster's name; effect-raft by default"),
    Flag.optional
  ),
  restart: Flag.Boolean("restart").pipe(
    Flag.withDescription("Start a node again that died, after 1 s, then 2 s, 4 s … up to 30 s"),
    Flag.withDefault(false)
  ),
  ...Flags.timing
}

/** What the flags of a local cluster come to. */
export interface LocalCluster {
  readonly nodes: Option.Option<number>
  readonly directory: Option.Option<string>
  readonly basePort: Option.Option<number>
  readonly clusterId: Option.Option<string>
  readonly restart: boolean
  readonly electionTimeoutMillis: number
  readonly heartbeatIntervalMillis: number
}

/** Rules that take more than one flag. */
export const validateTiming = (input: LocalCluster) => {
  const mistake = Flags.timingMistake(input)
  return mistake === undefined ? Effect.void : Effect.fail(new CliError.ValidationError({ message: mistake }))
}

/** The plan that the flags ask for, ready to be started. */
export const planOf = (
  input: LocalCluster,
  defaults: { readonly directory: string; readonly basePort: ClusterPlan.ChooseBasePort }
) =>
  ClusterPlan.claim(
    {
      directory: Option.getOrElse(input.directory, () => defaults.directory),
      nodes: Option.getOrUndefined(input.nodes),
      basePort: Option.getOrUndefined(input.basePort),
      clusterId: Option.getOrUndefined(input.clusterId)
    },
    defaults.basePort
  )

/** The flags that every node of the cluster is started with. */
export const serveFlags = (input: LocalCluster): ReadonlyArray<string> => [
  ...["--election-timeout", String(input.electionTimeoutMillis)],
  ...["--heartbeat", String(input.heartbeatIntervalMillis)]
]

/** Starts and shows the cluster, until it is stopped. */
export const upHandler = Effect.fnUntraced(function* (input: LocalCluster) {
  const plan = yield* planOf(input, { directory: ".effect-raft", basePort: () => Effect.succeed(7_000) })
  return yield* Up.run({ plan, restart: input.restart, flags: serveFlags(input) })
}, untilStopped)

export const up = Command.make("up", flags, upHandler).pipe(
  Command.validate(validateTiming),
  Command.withDescription(
    "Start a cluster of processes on this machine, in plain text and for this machine only, print each node's URL and a live line about it, and stop all of " +
      "them on Ctrl-C. When a node dies the line says how. Exit codes: 0 stopped by Ctrl-C or SIGTERM; " +
      "1 a port in use, a directory that cannot be used, or no node left; 2 wrong usage."
  ),
  Command.withShortDescription("Start a local cluster and watch it")
)
