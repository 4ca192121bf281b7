/**
 * `effect-raft serve`: runs one node in this process, until it is told to stop or fails.
 */
import * as Address from "@effect-raft/transport-tcp/Address"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Flags from "../Flags.ts"
import { untilStopped } from "../ExitCode.ts"
import * as Ports from "../Ports.ts"

const flags = {
  nodeId: Flags.name("node-id").pipe(
    Flag.withDescription("This node's name, unique in its cluster for ever; --member must list it")
  ),
  directory: Flag.Directory("directory").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription(
      "Where this node's data lies; made if it is not there. One node and one process per directory"
    )
  ),
  listen: Flags.hostPort("listen").pipe(Flag.withDescription("Where this node listens for its peers")),
  http: Flags.hostPort("http").pipe(Flag.withDescription("Where this node listens for its clients")),
  httpUrl: Flag.String("http-url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("How the other nodes reach --http, if not by http://HOST:PORT"),
    Flag.optional
  ),
  members: Flags.members,
  clusterId: Flags.clusterId,
  ...Flags.timing,
  trace: Flag.File("trace").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "Append what this node does to FILE, one line of JSON for each event (docs/trace.md); it never waits for it"
    ),
    Flag.optional
  ),
  stopWithStdin: Flag.Boolean("stop-with-stdin").pipe(
    Flag.withDescription("Stop when standard input ends; so no node outlives the program that started it"),
    Flag.withDefault(false)
  )
}

export const serve = Command.make("serve", flags, (input) =>
  loadNode.pipe(
    Effect.flatMap((Node) =>
      Node.run({ ...input, httpUrl: Option.getOrElse(input.httpUrl, () => Ports.urlOf(input.http)) })
    ),
    Effect.raceFirst(input.stopWithStdin ? stdinEnded : Effect.never),
    untilStopped
  )
).pipe(
  Command.validate((input) => {
    const mistake = Flags.timingMistake(input) ?? Flags.membersMistake(input) ?? portsMistake(input)
    return mistake === undefined
      ? Effect.void
      : Effect.fail(new CliError.ValidationError({ message: mistake }))
  }),
  Command.withDescription(
    "Run one node of a cluster. It prints one line when it is ready, logs to standard error, and stops cleanly on " +
      "Ctrl-C or SIGTERM. Exit codes: 0 stopped; 1 failed; 2 wrong usage."
  ),
  Command.withShortDescription("Run one node"),
  Command.withExamples([
    {
      command:
        "effect-raft serve --node-id n1 --directory data/n1 --listen 127.0.0.1:7001 --http 127.0.0.1:7101 " +
        "--member n1=127.0.0.1:7001 --member n2=127.0.0.1:7002 --member n3=127.0.0.1:7003",
      description: "The first of three nodes; the others have the same --member flags"
    }
  ])
)

/** Half of the start of this program; the other commands do without it. */
const loadNode = Effect.promise(() => import("../Node.ts"))

const stdinEnded = Stdio.Stdio.use(({ stdin }) => Effect.ignore(Stream.runDrain(stdin)))

const portsMistake = ({
  http,
  listen
}: {
  readonly http: Address.HostPort
  readonly listen: Address.HostPort
}) =>
  http.port === listen.port && http.host === listen.host
    ? `--listen and --http are both ${Address.format(http)}: peers and clients need a port each`
    : undefined
