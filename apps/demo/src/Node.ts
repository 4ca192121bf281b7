/**
 * One node as a program: the replicated key-value machine, its files, its peers over TCP and its HTTP
 * API, composed of their layers.
 */
import * as ClientServer from "@effect-raft/core/ClientServer"
import * as Raft from "@effect-raft/core/Raft"
import { RaftConfig } from "@effect-raft/core/RaftConfig"
import { Kv } from "@effect-raft/kv/Kv"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as KvServer from "@effect-raft/kv/KvServer"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Address from "@effect-raft/transport-tcp/Address"
import type { TlsFiles } from "@effect-raft/transport-tcp/Credentials"
import * as SecureHttpServer from "@effect-raft/transport-tcp/SecureHttpServer"
import * as TcpClientServer from "@effect-raft/transport-tcp/TcpClientServer"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as NodeHttp from "node:http"
import * as BlockedPorts from "./BlockedPorts.ts"
import * as CompiledCode from "./CompiledCode.ts"
import { fail } from "./ExitCode.ts"
import { handOver } from "./HandOver.ts"
import * as LeadershipLog from "./LeadershipLog.ts"
import { readyPrefix } from "./NodeProcess.ts"
import * as TraceFile from "./trace/TraceFile.ts"

// An import would evaluate all that `node:http` exports, its WebSocket too, for which it loads a whole HTTP client:
// a sixth of the time that a node takes to start.
const { createServer } = process.getBuiltinModule("node:http")

export interface NodeOptions {
  readonly clusterId: string
  readonly nodeId: string
  readonly directory: string
  /** Where it listens for its peers. */
  readonly listen: Address.HostPort
  /** Where it listens for its HTTP clients. */
  readonly http: Address.HostPort
  /** Where it listens for clients of the native protocol, if at all. */
  readonly clients: Option.Option<Address.HostPort>
  /** How clients reach `clients`, where that is not its own address. */
  readonly clientsAt: Option.Option<string>
  /** How the other nodes reach `http`. */
  readonly httpUrl: string
  /** It belongs to no cluster yet, and `members` is empty. */
  readonly join: boolean
  /** Every node's address for its peers, as the cluster begins. */
  readonly members: Readonly<Record<string, string>>
  readonly electionTimeoutMillis: number
  readonly heartbeatIntervalMillis: number
  /** This node's certificate, for its peers and its clients; plain text where there is none. */
  readonly tls: TlsFiles | undefined
  /** Whether plain text may leave this machine. */
  readonly insecure: boolean
  /** The file that gets a trace of what the node does. */
  readonly trace: Option.Option<string>
}

/** Runs the node. It says one line when it is ready, and ends only by failing or being interrupted. */
export const run = (options: NodeOptions) =>
  Effect.gen(function* () {
    const raft = yield* KvMachine.Raft
    yield* Console.log(
      [
        `${readyPrefix(options.nodeId)} ${options.httpUrl}`,
        `peers at ${Address.format(options.listen)}`,
        ...Option.toArray(clientsAtOf(options)).map((address) => `clients at ${address}`)
      ].join(", ")
    )
    yield* warnOfBlockedPort(options)
    yield* Effect.forkChild(CompiledCode.keep)
    yield* Effect.forkChild(LeadershipLog.keep(raft.changes))
    return yield* Effect.onInterrupt(raft.failure, () => handOver(raft, options.electionTimeoutMillis))
  }).pipe(
    Effect.provide(layerOf(options)),
    Effect.mapError((error) => fail(describe(options, error)))
  )

/** The node itself works there, also for `curl`, so that it starts. */
const warnOfBlockedPort = ({ httpUrl }: NodeOptions): Effect.Effect<void> => {
  const port = Number(new URL(httpUrl).port)
  return BlockedPorts.isBlocked(port)
    ? Effect.logWarning(`Clients are told of ${httpUrl}, but ${BlockedPorts.consequence}; take another port`)
    : Effect.void
}

const layerOf = (options: NodeOptions) =>
  KvServer.layer({ url: options.httpUrl }).pipe(
    Layer.provide(Kv.layer),
    // Clients may come when the node is there, which may take a while where the log is long.
    Layer.provide(httpServerOf(options)),
    Layer.merge(clientServerOf(options)),
    Layer.provideMerge(raftOf(options))
  )

const clientServerOf = ({ clients, insecure, tls }: NodeOptions) =>
  Option.match(clients, {
    onNone: () => Layer.empty,
    onSome: (listen) =>
      TcpClientServer.layer({
        listen: Address.format(listen),
        insecure,
        ...(tls === undefined ? {} : { tls })
      }).pipe(Layer.provide(ClientServer.layer(KvMachine)))
  })

/** Where clients of the native protocol are told to go. */
const clientsAtOf = ({ clients, clientsAt }: NodeOptions): Option.Option<string> =>
  Option.map(clients, (listen) => Option.getOrElse(clientsAt, () => Address.format(listen)))

const raftOf = (options: NodeOptions) =>
  Raft.layer(KvMachine, {
    clusterId: options.clusterId,
    nodeId: options.nodeId,
    ...(options.join ? { join: true } : { members: options.members }),
    config: RaftConfig.make({
      electionTimeoutMillis: options.electionTimeoutMillis,
      heartbeatIntervalMillis: options.heartbeatIntervalMillis
    }),
    attributes: {
      http: options.httpUrl,
      ...Option.getOrElse(Option.map(clientsAtOf(options), ClientServer.attributes), () => ({}))
    }
  }).pipe(
    Layer.provide(FileStorage.layer({ directory: options.directory })),
    Layer.provide(NodeLogFileSystem.layer),
    Layer.provide(
      TcpTransport.layer({
        listen: Address.format(options.listen),
        insecure: options.insecure,
        ...(options.tls === undefined ? {} : { tls: options.tls })
      })
    ),
    Layer.provide(Option.match(options.trace, { onNone: () => Layer.empty, onSome: TraceFile.layer }))
  )

/** How long requests may take to end, once the node has been told to stop. */
const lastRequestsMillis = 2_000

const httpServerOf = ({ http: { host, port }, tls }: NodeOptions) =>
  Layer.unwrap(
    Effect.map(
      tls === undefined ? Effect.succeed(() => createServer()) : SecureHttpServer.make(tls),
      (makeServer) =>
        NodeHttpServer.layer(() => answeringAtOnce(makeServer()), {
          host,
          port,
          gracefulShutdownTimeout: lastRequestsMillis
        })
    )
  )

/**
 * A server answers from the moment it listens. The routes are there a moment later; without this, a
 * request in between would never be answered.
 */
const answeringAtOnce = (server: NodeHttp.Server): NodeHttp.Server => {
  server.on("request", (_request, response) => {
    if (server.listenerCount("request") > 1) return
    response.writeHead(503, { "Content-Type": "application/json", "Retry-After": "1" })
    response.end(JSON.stringify({ error: "the node is starting", outcome: "none" }))
  })
  return server
}

const describe = (
  { http }: NodeOptions,
  error: { readonly _tag: string; readonly message: string; readonly cause?: unknown }
): string => {
  if (error._tag !== "ServeError") return error.message
  const cause = error.cause as NodeJS.ErrnoException
  const detail = cause.code === "EADDRINUSE" ? "the port is in use" : cause.message
  return `Cannot listen for clients at ${Address.format(http)} (--http): ${detail}`
}
