/**
 * Raft peers over TCP.
 *
 * ```ts
 * Raft.layer(Counter, { nodeId: "n1", members: { n1: "127.0.0.1:7001", ... } }).pipe(
 *   Layer.provide(TcpTransport.layer({ listen: "127.0.0.1:7001" }))
 * )
 * ```
 *
 * The layer owns the listening port; a node that opens on it owns its links. When the node closes, its
 * connections, fibers and timers are gone; when the layer closes, so is the port. With `tls` both ends show
 * certificates and are who they say; without, nothing leaves this machine unless `insecure` allows it.
 */
import type { PeerAddress } from "@effect-raft/core/Membership"
import { ListenFailed, RaftTransport, TransportError } from "@effect-raft/core/RaftTransport"
import type { EndpointOptions } from "@effect-raft/core/RaftTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Certificate from "./Certificate.ts"
import * as Credentials from "./Credentials.ts"
import type { TlsFiles } from "./Credentials.ts"
import * as Handshake from "./Handshake.ts"
import * as Listener from "./Listener.ts"
import * as QuietLog from "./QuietLog.ts"
import type { Security } from "./Security.ts"
import * as TcpEndpoint from "./TcpEndpoint.ts"
import type { Versions } from "./Versions.ts"

/** The settings of a transport; all but `listen` have a default. */
export interface TcpOptions {
  /** Where to listen for peers: "127.0.0.1:7001", "[::1]:7001", "db-1:7001". Port 0 takes any free port. */
  readonly listen: PeerAddress
  /**
   * Certificates: connections are encrypted, and either end proves which node it is. All nodes of a cluster
   * have them, or none. A certificate is for the node whose name is its common name or one of its DNS names.
   */
  readonly tls?: TlsFiles
  /** Whether plain text may leave this machine, where there is no `tls`. Default: false. */
  readonly insecure?: boolean
  /**
   * What to do with a caller of the right cluster and group that is not among the peers. "accept" is what
   * the thesis asks for (section 4.1): a node that was away learns of new members from them. "refuse" is
   * for networks where a name must be listed first. Default: "accept".
   */
  readonly strangers?: "accept" | "refuse"
  /** Larger frames end the connection; larger messages are not sent. Default: 16 MiB. */
  readonly maxFrameBytes?: number
  /** How many messages may wait for one peer. Default: 4,096. */
  readonly outboxMessages?: number
  /** How many bytes may wait for one peer. Default: 64 MiB. */
  readonly outboxBytes?: number
  /** How long dialling may take, and then the handshake, that of TLS included. Default: 5,000. */
  readonly handshakeTimeoutMillis?: number
  /** A quiet connection carries a sign of life this often. Default: 1,000. */
  readonly keepAliveMillis?: number
  /** A peer that is silent for so long is taken for dead. Default: 5,000. */
  readonly silenceMillis?: number
  /** The first pause between two attempts to dial; it doubles up to `redialMaxMillis`. Default: 20. */
  readonly redialMinMillis?: number
  /** Default: 1,000. */
  readonly redialMaxMillis?: number
  /** More connections than this are closed at once. Default: 256. */
  readonly maxConnections?: number
  /** The versions of the peers' protocol to speak, where not all that this program knows. */
  readonly protocolVersions?: Versions
}

/** The settings of a transport, with the defaults filled in. */
export type TcpSettings = Required<Omit<TcpOptions, "tls">>

const defaults = {
  insecure: false,
  strangers: "accept",
  maxFrameBytes: 16 * 1024 * 1024,
  outboxMessages: 4096,
  outboxBytes: 64 * 1024 * 1024,
  handshakeTimeoutMillis: 5000,
  keepAliveMillis: 1000,
  silenceMillis: 5000,
  redialMinMillis: 20,
  redialMaxMillis: 1000,
  maxConnections: 256,
  protocolVersions: Handshake.ourVersions
} as const

/** The address at which a transport listens, with the real port where 0 was asked for. */
export class ListenAddress extends Context.Service<ListenAddress, PeerAddress>()(
  "@effect-raft/transport-tcp/ListenAddress"
) {}

export interface TcpTransport {
  readonly transport: RaftTransport["Service"]
  readonly address: PeerAddress
}

/** Listens, until the scope closes. */
export const make: (options: TcpOptions) => Effect.Effect<TcpTransport, TransportError, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const tcp = { ...defaults, ...options }
    const warn = QuietLog.make()
    const endpoints = new Set<TcpEndpoint.TcpEndpoint>()
    const security = yield* securityOf(tcp)
    const server = yield* Listener.bind(tcp.listen, security)
    yield* Effect.forkScoped(Listener.serve(server, { tcp, security, warn, endpoints }))

    const open = Effect.fnUntraced(function* (endpoint: EndpointOptions) {
      const problem = problemOf(endpoint, endpoints) ?? certificateProblemOf(endpoint, security)
      if (problem !== undefined) return yield* listenFailed(tcp.listen, problem)
      const opened = yield* TcpEndpoint.make({ endpoint, tcp, security, warn })
      yield* Effect.acquireRelease(
        Effect.sync(() => endpoints.add(opened)),
        () => Effect.sync(() => endpoints.delete(opened))
      )
      return opened
    })

    const transport = RaftTransport.of({ open, copiesBlocks: true })
    return { transport, address: Listener.addressOf(server, tcp.listen) }
  })

/** Listens at `options.listen` and provides the transport, and the address for those who asked for port 0. */
export const layer = (options: TcpOptions): Layer.Layer<RaftTransport | ListenAddress, TransportError> =>
  Layer.effectContext(
    Effect.map(make(options), ({ address, transport }) =>
      Context.make(RaftTransport, transport).pipe(Context.add(ListenAddress, address))
    )
  )

const securityOf = ({ insecure, listen, tls }: TcpOptions) =>
  tls === undefined
    ? Effect.succeed<Security>({ _tag: "Plain", anywhere: insecure === true })
    : Credentials.make(tls).pipe(
        Effect.map((credentials): Security => ({ _tag: "Tls", credentials })),
        Effect.catch(({ detail }) => listenFailed(listen, detail))
      )

const listenFailed = (address: PeerAddress, detail: string) =>
  Effect.fail(new TransportError({ reason: new ListenFailed({ address, detail }) }))

const certificateProblemOf = ({ nodeId }: EndpointOptions, security: Security): string | undefined => {
  if (security._tag === "Plain") return undefined
  const { certificate, files } = security.credentials
  return Certificate.isFor(certificate(), nodeId)
    ? undefined
    : `this is node ${nodeId}, but the certificate in ${files.certificateFile} names ${Certificate.namesOf(certificate())}; ` +
        `its common name or one of its DNS names must be ${nodeId}`
}

const problemOf = (
  { attributes, clusterId, groupId, nodeId }: EndpointOptions,
  endpoints: ReadonlySet<TcpEndpoint.TcpEndpoint>
): string | undefined => {
  const bytes = Handshake.attributesBytes(attributes ?? {})
  if (bytes > Handshake.maxHandshakeBytes / 2) {
    return `the attributes of ${nodeId} take ${bytes} bytes; at most ${Handshake.maxHandshakeBytes / 2} can be told to peers`
  }
  const taken = Array.from(endpoints).some(
    ({ callee }) => callee.clusterId === clusterId && callee.groupId === groupId && callee.nodeId === nodeId
  )
  return taken ? `a node named ${nodeId} is open here already; close it first` : undefined
}
