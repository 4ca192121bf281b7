/**
 * The flags that more than one command takes, with their parsing. What is wrong with a value is said by
 * the flag's name; rules that need two flags stand with the command.
 */
import { NodeId } from "@effect-raft/core/NodeId"
import * as KvKey from "@effect-raft/kv/KvKey"
import * as Address from "@effect-raft/transport-tcp/Address"
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as FileError from "./FileError.ts"
import * as NativeAddress from "./NativeAddress.ts"
import * as TlsFlags from "./TlsFlags.ts"

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const parseAddress = (text: string): Address.HostPort => {
  const address = Address.parse(text)
  if (typeof address !== "string" && address.port > 0) return address
  throw new Error("HOST:PORT, such as 127.0.0.1:7001, with a port from 1 to 65535")
}

/** A flag that takes `HOST:PORT`. */
export const hostPort = (name: string) =>
  Flag.String(name).pipe(Flag.withMetavar("HOST:PORT"), Flag.mapTryCatch(parseAddress, messageOf))

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

const parseName = (text: string): string => {
  if (!namePattern.test(text)) {
    throw new Error("1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit")
  }
  return text
}

/** A flag that takes the name of a node or cluster. */
export const name = (flag: string) =>
  Flag.String(flag).pipe(Flag.withMetavar("NAME"), Flag.mapTryCatch(parseName, messageOf))

/** `--directory DIR`: a directory, or the place of one that can be made. Its path is made absolute. */
export const directory = Flag.String("directory").pipe(
  Flag.withMetavar("DIR"),
  Flag.mapEffect((text) => parseDirectory(text))
)

const parseDirectory = Effect.fnUntraced(function* (text: string) {
  const refuse = (expected: string) =>
    Effect.fail(new CliError.InvalidValue({ option: "directory", value: text, expected, kind: "flag" }))
  // As of a variable that is not set. It would be the present directory.
  if (text === "") return yield* refuse("the name of a directory")
  const path = (yield* Path.Path).resolve(text)
  const trouble = yield* troubleWithDirectory(path)
  if (trouble === undefined) return path
  return yield* refuse(`a directory, or a place for a new one; at ${path}: ${trouble}`)
})

const troubleWithDirectory = (path: string) =>
  FileSystem.FileSystem.use((fs) => fs.stat(path)).pipe(
    Effect.map(({ type }) => (type === "Directory" ? undefined : "there is a file")),
    Effect.catch((error) =>
      Effect.succeed(error.reason._tag === "NotFound" ? undefined : FileError.describe(error))
    )
  )

/** A flag that takes a whole number of at least `least`. */
export const intAtLeast = (flag: string, least: number) =>
  Flag.Int(flag).pipe(
    Flag.filter(
      (value) => value >= least,
      () => `a whole number of at least ${least}`
    )
  )

/** `--endpoint URL[,URL]`, in the order in which they are to be tried. */
export const endpoints = Flag.String("endpoint").pipe(
  Flag.withAlias("e"),
  Flag.withMetavar("URL[,URL]"),
  Flag.withDescription("The HTTP address of a node, or of several, separated by commas; any of them will do"),
  Flag.mapTryCatch((text) => parseEndpoints(text), messageOf)
)

/** The same, for what can be done over the native protocol too. */
const anyEndpoints = Flag.String("endpoint").pipe(
  Flag.withAlias("e"),
  Flag.withMetavar("URL[,URL]"),
  Flag.withDescription(
    "The address of a node, or of several, separated by commas; any of them will do. " +
      "http://HOST:PORT, or raft://HOST:PORT for a node's --clients (raft://HOST:PORT/CLUSTER where the cluster has another name than effect-raft)"
  ),
  Flag.mapTryCatch((text) => parseAnyEndpoints(text), messageOf)
)

type Endpoints = readonly [string, ...Array<string>]

const parseEndpoints = (text: string): Endpoints =>
  parseAll(text, isHttpUrl, "HTTP addresses, such as http://127.0.0.1:7101")

const parseAnyEndpoints = (text: string): Endpoints =>
  parseAll(
    text,
    text.trimStart().startsWith("raft:") ? NativeAddress.is : isHttpUrl,
    "addresses of one kind, such as http://127.0.0.1:7101 or raft://127.0.0.1:7201"
  )

const parseAll = (text: string, isGood: (url: string) => boolean, wanted: string): Endpoints => {
  const urls = text.split(",").map((part) => part.trim())
  const wrong = urls.find((url) => !isGood(url))
  const [first, ...rest] = urls
  if (first === undefined || wrong !== undefined) {
    throw new Error(rest.length === 0 ? wanted : `${wanted}, not "${wrong}"`)
  }
  return [first, ...rest]
}

/** A flag that takes the address of an HTTP server. */
export const httpUrl = (flag: string) =>
  Flag.String(flag).pipe(
    Flag.withMetavar("URL"),
    Flag.filter(isHttpUrl, () => "an HTTP address, such as http://127.0.0.1:7101")
  )

const isHttpUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

/** The nodes to ask, and how long; for what only HTTP offers. */
export const httpNodes = {
  endpoints,
  timeoutMillis: intAtLeast("timeout", 1).pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription(
      "How long to go on asking, all endpoints together, while none can serve; 10000 by default"
    ),
    Flag.withDefault(10_000)
  ),
  tls: TlsFlags.flags("This client's")
}

/** As {@link httpNodes}, for every command that reads or writes a key. */
export const store = { ...httpNodes, endpoints: anyEndpoints }

/** The key of a command that talks to a cluster. */
export const key = Argument.String("key").pipe(
  Argument.withDescription(`The key: text, 1 to ${KvKey.maxKeyBytes} bytes in UTF-8`)
)

/** Names the cluster; nodes of differently named clusters refuse each other. */
export const clusterId = name("cluster-id").pipe(
  Flag.withDescription("The cluster's name; nodes of another cluster are refused; effect-raft by default"),
  Flag.withDefault("effect-raft")
)

const membersAtLeast = (least: number) =>
  Flag.String("member").pipe(
    Flag.withMetavar("NAME=HOST:PORT"),
    Flag.withDescription(
      "A node of the cluster and where its peers reach it; once for every node, this one included"
    ),
    Flag.atLeast(least),
    Flag.mapTryCatch((texts) => parseMembers(texts), messageOf)
  )

/** `--member NAME=HOST:PORT`, once for every node of the cluster. */
export const members = membersAtLeast(1)

/** As {@link members}, where none may be given. */
export const membersIfAny = membersAtLeast(0)

const parseMembers = (texts: ReadonlyArray<string>): Readonly<Record<string, string>> => {
  const members = new Map<string, string>()
  for (const text of texts) {
    const [name, address] = splitMember(text)
    if (members.has(name)) throw new Error(`every node once, but ${name} is listed twice`)
    const twin = [...members].find(([, other]) => other === address)
    if (twin !== undefined)
      throw new Error(`an address of its own for every node, but ${twin[0]} and ${name} share ${address}`)
    members.set(name, address)
  }
  return Object.fromEntries(members)
}

const splitMember = (text: string): readonly [name: string, address: string] => {
  const equals = text.indexOf("=")
  if (equals === -1) throw new Error(`NAME=HOST:PORT, such as n1=127.0.0.1:7001, not "${text}"`)
  try {
    return [parseName(text.slice(0, equals)), Address.format(parseAddress(text.slice(equals + 1)))]
  } catch (error) {
    throw new Error(`in "${text}": ${messageOf(error)}`, { cause: error })
  }
}

/** Reads NAME=HOST:PORT. */
export const memberPlace = (text: string): { readonly nodeId: NodeId; readonly address: string } => {
  const [name, address] = splitMember(text)
  return { nodeId: NodeId.make(name), address }
}

/** Reads the name of a node. */
export const nodeName = (text: string): NodeId => NodeId.make(parseName(text))

/** A flag that takes the name of a node. */
export const nodeIdFlag = (flag: string) =>
  Flag.String(flag).pipe(Flag.withMetavar("NAME"), Flag.mapTryCatch(nodeName, messageOf))

/** An argument that is read by one of these. */
export const argument = <A>(name: string, read: (text: string) => A) =>
  Argument.String(name).pipe(Argument.mapTryCatch(read, messageOf))

/** How long a follower waits for its leader, and how often the leader speaks up, in milliseconds. */
export const timing = {
  electionTimeoutMillis: intAtLeast("election-timeout", 20).pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription(
      "How long a follower waits for its leader before it campaigns, at least; always less than twice that. 500 by default"
    ),
    Flag.withDefault(500)
  ),
  heartbeatIntervalMillis: intAtLeast("heartbeat", 1).pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription(
      "How often an idle leader says that it is alive; at most half of --election-timeout; 100 by default"
    ),
    Flag.withDefault(100)
  )
}

/** What is wrong with the timing flags together, or nothing. */
export const timingMistake = (flags: {
  readonly electionTimeoutMillis: number
  readonly heartbeatIntervalMillis: number
}): string | undefined =>
  flags.heartbeatIntervalMillis * 2 <= flags.electionTimeoutMillis
    ? undefined
    : `--heartbeat (${flags.heartbeatIntervalMillis}) must be at most half of --election-timeout (${flags.electionTimeoutMillis})`

/** What is wrong with --node-id and --member together, or nothing. */
export const membersMistake = (flags: {
  readonly nodeId: string
  readonly members: Readonly<Record<string, string>>
}): string | undefined =>
  flags.nodeId in flags.members
    ? undefined
    : `--member does not list this node: --node-id is ${flags.nodeId}, the members are ${Object.keys(flags.members).join(", ")}`
