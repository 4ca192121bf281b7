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
 * connections, fibers and timers are gone; when the layer closes, so is the port. There is no encryption:
 * the peers' network must be one that can be trusted.
 */
import type { PeerAddress } from "@effect-raft/core/Membership"
import { ListenFailed, RaftTransport, TransportError } from "@effect-raft/core/RaftTransport"
import type { EndpointOptions } from "@effect-raft/core/RaftTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Handshake from "./Handshake.ts"
import * as Listener from "./Listener.ts"
import * as QuietLog from "./QuietLog.ts"
import * as TcpEndpoint from "./TcpEndpoint.ts"

/** The settings of a transport; all but `listen` have a default. */
export interface TcpOptions {
  /** Where to listen for peers: "127.0.0.1:7001", "[::1]:7001", "db-1:7001". Port 0 takes any free port. */
  readonly listen: PeerAddress
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
  /** How long dialling may take, and then the handshake. Default: 5,000. */
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
}

const defaults = {
  strangers: "accept",
  maxFrameBytes: 16 * 1024 * 1024,
  outboxMessages: 4096,
  outboxBytes: 64 * 1024 * 1024,
  handshakeTimeoutMillis: 5000,
  keepAliveMillis: 1000,
  silenceMillis: 5000,
  redialMinMillis: 20,
  redialMaxMillis: 1000,
  maxConnections: 256
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
    const server = yield* Listener.bind(tcp.listen)
    yield* Effect.forkScoped(Listener.serve(server, { tcp, warn, endpoints }))

    const open = Effect.fnUntraced(function* (endpoint: EndpointOptions) {
      const problem = problemOf(endpoint, endpoints)
      if (problem !== undefined) {
        return yield* new TransportError({
          reason: new ListenFailed({ address: tcp.listen, detail: problem })
        })
      }
      const opened = yield* TcpEndpoint.make({ endpoint, tcp, warn })
      yield* Effect.acquireRelease(
        Effect.sync(() => endpoints.add(opened)),
        () => Effect.sync(() => endpoints.delete(opened))
      )
      return opened
    })

    return { transport: RaftTransport.of({ open }), address: Listener.addressOf(server, tcp.listen) }
  })

/** Listens at `options.listen` and provides the transport, and the address for those who asked for port 0. */
export const layer = (options: TcpOptions): Layer.Layer<RaftTransport | ListenAddress, TransportError> =>
  Layer.effectContext(
    Effect.map(make(options), ({ address, transport }) =>
      Context.make(RaftTransport, transport).pipe(Context.add(ListenAddress, address))
    )
  )

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
