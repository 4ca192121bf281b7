/**
 * `effect-raft serve`: runs one node in this process, until it is told to stop or fails.
 */
import * as Address from "@effect-raft/transport-tcp/Address"
import * as Security from "@effect-raft/transport-tcp/Security"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Collector from "../Collector.ts"
import type * as Node from "../Node.ts"
import * as Flags from "../Flags.ts"
import { untilStopped } from "../ExitCode.ts"
import * as Ports from "../Ports.ts"
import * as TlsFlags from "../TlsFlags.ts"

const flags = {
  nodeId: Flags.name("node-id").pipe(
    Flag.withDescription(
      "This node's name, unique in its cluster for ever; --member must list it, unless it is to --join"
    )
  ),
  directory: Flags.directory.pipe(
    Flag.withDescription(
      "Where this node's data lies; made if it is not there. One node and one process per directory"
    )
  ),
  listen: Flags.hostPort("listen").pipe(Flag.withDescription("Where this node listens for its peers")),
  http: Flags.hostPort("http").pipe(Flag.withDescription("Where this node listens for its HTTP clients")),
  httpUrl: Flags.httpUrl("http-url").pipe(
    Flag.withDescription(
      "How the other nodes reach --http, if not by http://HOST:PORT, or https://HOST:PORT with certificates"
    ),
    Flag.optional
  ),
  clients: Flags.hostPort("clients").pipe(
    Flag.withDescription(
      "Where this node listens for clients of the native protocol (docs/guides/client.md); nowhere by default"
    ),
    Flag.optional
  ),
  clientsAt: Flags.hostPort("clients-at").pipe(
    Flag.withDescription("How clients reach --clients, if not by that address"),
    Flag.map((address) => Address.format(address)),
    Flag.optional
  ),
  members: Flags.membersIfAny.pipe(
    Flag.withDescription(
      "A node of the cluster as it begins, and where its peers reach it; once for every node, this one included. " +
        "Afterwards the log says who belongs, and this is ignored"
    )
  ),
  join: Flag.Boolean("join").pipe(
    Flag.withDescription(
      "Instead of --member: belong to no cluster yet, and wait to be added by `effect-raft member add`"
    ),
    Flag.withDefault(false)
  ),
  clusterId: Flags.clusterId,
  tls: TlsFlags.flags("This node's"),
  insecure: Flag.Boolean("insecure").pipe(
    Flag.withDescription(
      "Talk in plain text beyond this machine, where everybody on the way can read and forge it; " +
        "without certificates --listen, --http, --clients and --member must be addresses of this machine"
    ),
    Flag.withDefault(false)
  ),
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

/** The command; what a node is made of is half of a start of this program, and other commands do without it. */
export const make = (node: Effect.Effect<typeof Node>) =>
  Command.make("serve", flags, (input) =>
    Collector.tune.pipe(
      Effect.andThen(node),
      Effect.flatMap(({ run }) =>
        run({
          ...input,
          tls: TlsFlags.filesOf(input.tls),
          httpUrl: Option.getOrElse(input.httpUrl, () =>
            Ports.urlOf(input.http, TlsFlags.filesOf(input.tls) === undefined ? "http" : "https")
          )
        })
      ),
      Effect.raceFirst(input.stopWithStdin ? stdinEnded : Effect.never),
      Effect.raceFirst(Collector.lookAfter),
      untilStopped
    )
  ).pipe(
    Command.validate((input) => {
      const mistake =
        Flags.timingMistake(input) ??
        joinMistake(input) ??
        (input.join ? undefined : Flags.membersMistake(input)) ??
        portsMistake(input) ??
        TlsFlags.mistake(input.tls) ??
        plainTextMistake(input)
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

const stdinEnded = Stdio.Stdio.use(({ stdin }) => Effect.ignore(Stream.runDrain(stdin)))

const joinMistake = (input: {
  readonly join: boolean
  readonly members: Readonly<Record<string, string>>
}): string | undefined => {
  const count = Object.keys(input.members).length
  if (input.join && count > 0)
    return "--join and --member exclude each other: who joins learns from the leader who the members are"
  return input.join || count > 0
    ? undefined
    : "Give the members of a new cluster with --member, this node included; or --join, to be added to one that there is"
}

const portsMistake = (input: {
  readonly http: Address.HostPort
  readonly listen: Address.HostPort
  readonly clients: Option.Option<Address.HostPort>
}) => {
  const listeners = [
    ["--listen", input.listen],
    ["--http", input.http],
    ...Option.toArray(input.clients).map((address) => ["--clients", address] as const)
  ] as const
  for (const [place, [flag, address]] of listeners.entries()) {
    const twin = listeners.slice(0, place).find(([, other]) => isSame(other, address))
    if (twin !== undefined)
      return `${twin[0]} and ${flag} are both ${Address.format(address)}: peers and clients need a port each`
  }
  return undefined
}

const isSame = (one: Address.HostPort, other: Address.HostPort): boolean =>
  one.port === other.port && one.host === other.host

/** The rule of `Security`, said of the flags before anything is started. */
const plainTextMistake = (input: {
  readonly tls: TlsFlags.Flags
  readonly insecure: boolean
  readonly http: Address.HostPort
  readonly listen: Address.HostPort
  readonly clients: Option.Option<Address.HostPort>
  readonly members: Readonly<Record<string, string>>
}) => {
  if (input.insecure || TlsFlags.filesOf(input.tls) !== undefined) return undefined
  const places = [
    ["--listen ", Address.format(input.listen)],
    ["--http ", Address.format(input.http)],
    ...Option.toArray(input.clients).map((address) => ["--clients ", Address.format(address)] as const),
    ...Object.entries(input.members).map(([id, address]) => [`--member ${id}=`, address] as const)
  ] as const
  const outside = places.find(([, address]) => !isOnThisMachine(address))
  return outside === undefined
    ? undefined
    : `${outside.join("")} is beyond this machine, where plain text can be read and forged: ` +
        `give --tls-cert, --tls-key and --tls-ca (docs/guides/tls.md), or say --insecure if that network can be trusted`
}

const isOnThisMachine = (address: string): boolean => {
  const parsed = Address.parse(address)
  return typeof parsed !== "string" && Security.isLoopback(parsed.host)
}
