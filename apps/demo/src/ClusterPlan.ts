/**
 * What a local cluster consists of: its nodes, their ports and directories.
 *
 * The plan is kept in the cluster's directory as `cluster.json`, because the nodes' logs hold the peers'
 * addresses: who starts the cluster again on the same directory must start the same nodes at the same
 * ports. A plan that was made is therefore read, not made anew, and a flag that contradicts it is an error.
 */
import * as FileTrouble from "@effect-raft/storage-file/FileTrouble"
import * as NewDirectory from "@effect-raft/storage-file/NewDirectory"
import type * as Address from "@effect-raft/transport-tcp/Address"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as BlockedPorts from "./BlockedPorts.ts"
import { type CommandFailed, fail, misuse } from "./ExitCode.ts"
import * as FileError from "./FileError.ts"
import * as Ports from "./Ports.ts"

/** One node: its name, where its peers and its clients, by HTTP and natively, reach it, and where its data lies. */
export interface NodePlan {
  readonly id: string
  readonly peer: Address.HostPort
  readonly http: Address.HostPort
  readonly clients: Address.HostPort
  readonly url: string
  readonly directory: string
  /** What the process said on its standard error, across its lives. */
  readonly logFile: string
}

export interface ClusterPlan {
  readonly clusterId: string
  readonly directory: string
  readonly basePort: number
  readonly nodes: ReadonlyArray<NodePlan>
}

/** The most nodes a plan has room for: the HTTP ports begin 100 above the peers' ports, the native clients' 200. */
export const maxNodes = 9

/** The highest base port that leaves room for all ports. */
export const maxBasePort = 65_535 - 200 - maxNodes

/** Where a new cluster's ports begin. */
export type ChooseBasePort = (nodes: number) => Effect.Effect<number, CommandFailed>

const SavedPlan = Schema.Struct({
  clusterId: Schema.String,
  basePort: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxBasePort })),
  nodes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxNodes }))
})
type SavedPlan = typeof SavedPlan.Type

const planFileName = "cluster.json"

const SavedPlanJson = Schema.fromJsonString(SavedPlan)

const peerPort = (base: number, position: number) => base + position
const httpPort = (base: number, position: number) => base + 100 + position
const clientsPort = (base: number, position: number) => base + 200 + position

/** Every port that `nodes` nodes take from `base` on. */
export const portsFrom = (base: number, nodes: number): ReadonlyArray<number> =>
  positions(nodes).flatMap((position) =>
    [peerPort, httpPort, clientsPort].map((portOf) => portOf(base, position))
  )

const positions = (nodes: number): ReadonlyArray<number> => Array.from({ length: nodes }, (_, at) => at + 1)

/** What the user asked for; what is left out is taken from the saved plan, or from the defaults. */
export interface Wishes {
  readonly directory: string
  readonly clusterId?: string | undefined
  readonly nodes?: number | undefined
  readonly basePort?: number | undefined
}

/** The plan of the cluster in this directory, ready to be started: its ports are free, and it is kept. */
export const claim = Effect.fnUntraced(function* (wishes: Wishes, chooseBasePort: ChooseBasePort) {
  const plan = yield* resolve(wishes, chooseBasePort)
  // In this order: a plan that could not be started once must not bind its user to those ports.
  yield* requireFreePorts(plan)
  yield* keep(plan)
  return plan
})

/** The plan of the cluster in this directory: the one it was started with, or a new one. */
export const resolve = Effect.fnUntraced(
  function* (wishes: Wishes, chooseBasePort: ChooseBasePort) {
    const path = yield* Path.Path
    const directory = path.resolve(wishes.directory)
    const file = path.join(directory, planFileName)
    const saved = yield* read(file)
    if (saved !== undefined) {
      yield* refuseContradiction(wishes, saved, file)
      return layOut(path, directory, saved)
    }
    const nodes = wishes.nodes ?? 3
    const basePort = wishes.basePort ?? (yield* chooseBasePort(nodes))
    yield* refuseBlockedPorts(basePort, nodes)
    return layOut(path, directory, { clusterId: wishes.clusterId ?? "effect-raft", basePort, nodes })
  },
  (resolved, { directory }) => Effect.catchTag(resolved, "PlatformError", unusable(directory))
)

const read = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(file))) return undefined
  return yield* Schema.decodeEffect(SavedPlanJson)(yield* fs.readFileString(file)).pipe(
    Effect.mapError(() =>
      fail(`${file} is not the plan of a cluster; nothing was changed. Use another directory`)
    )
  )
})

/** Keeps the plan in its directory, for the next start. */
export const keep = Effect.fnUntraced(
  function* ({ basePort, clusterId, directory, nodes }: ClusterPlan) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(directory, planFileName)
    const saved: SavedPlan = { clusterId, basePort, nodes: nodes.length }
    yield* Effect.try({
      try: () => NewDirectory.make(directory),
      catch: (cause) => unusableAs(directory, FileTrouble.describe(cause))
    })
    yield* fs.writeFileString(
      `${file}.new`,
      `${yield* Effect.orDie(Schema.encodeEffect(SavedPlanJson)(saved))}\n`
    )
    yield* fs.rename(`${file}.new`, file)
  },
  (kept, { directory }) => Effect.catchTag(kept, "PlatformError", unusable(directory))
)

const unusable = (directory: string) => (error: PlatformError.PlatformError) =>
  Effect.fail(unusableAs(directory, FileError.describe(error)))

const unusableAs = (directory: string, detail: string) =>
  fail(`${directory} cannot be used for a cluster: ${detail}`)

const refuseContradiction = (
  wishes: Wishes,
  saved: SavedPlan,
  file: string
): Effect.Effect<void, CommandFailed> => {
  const contradiction = (["nodes", "basePort", "clusterId"] as const).find(
    (key) => wishes[key] !== undefined && wishes[key] !== saved[key]
  )
  if (contradiction === undefined) return Effect.void
  const flag = flagOf[contradiction]
  return Effect.fail(
    misuse(
      `${flag} ${wishes[contradiction]} contradicts ${file}: this cluster was made with ${flag} ${saved[contradiction]}. ` +
        `Leave the flag out, or use another --directory`
    )
  )
}

/** Where HTTP would be at a port that nobody's browser opens; the nodes themselves would not see their own state. */
const refuseBlockedPorts = (base: number, nodes: number): Effect.Effect<void, CommandFailed> => {
  const at = blockedAt(base, nodes)
  if (at === undefined) return Effect.void
  let next = base + 1
  while (blockedAt(next, nodes) !== undefined) next++
  return Effect.fail(
    misuse(
      `--base-port ${base} would put HTTP of node n${at} at port ${httpPort(base, at)}; ` +
        `${BlockedPorts.consequence}. Take another, such as --base-port ${next}`
    )
  )
}

const blockedAt = (base: number, nodes: number): number | undefined =>
  positions(nodes).find((position) => BlockedPorts.isBlocked(httpPort(base, position)))

const flagOf = { nodes: "--nodes", basePort: "--base-port", clusterId: "--cluster-id" } as const

const layOut = (path: Path.Path, directory: string, saved: SavedPlan): ClusterPlan => ({
  ...saved,
  directory,
  nodes: positions(saved.nodes).map((position): NodePlan => {
    const id = `n${position}`
    const peer = { host: Ports.loopback, port: peerPort(saved.basePort, position) }
    const http = { host: Ports.loopback, port: httpPort(saved.basePort, position) }
    return {
      id,
      peer,
      http,
      clients: { host: Ports.loopback, port: clientsPort(saved.basePort, position) },
      url: Ports.urlOf(http),
      directory: path.join(directory, id),
      logFile: path.join(directory, `${id}.log`)
    }
  })
})

/** Fails, naming the port and whose it is, if something listens on one of the plan's ports. */
export const requireFreePorts = Effect.fnUntraced(function* (plan: ClusterPlan) {
  for (const node of plan.nodes) {
    for (const [what, { port }] of [
      ["peers", node.peer],
      ["HTTP", node.http],
      ["clients", node.clients]
    ] as const) {
      if (yield* Ports.isFree(port)) continue
      return yield* fail(
        `Port ${port} (${what}, node ${node.id}) is in use. Is this cluster running already? ` +
          `If not, stop what uses the port, or start another cluster with --base-port and --directory`
      )
    }
  }
})
