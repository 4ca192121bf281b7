/**
 * The port at which a node's clients call, and the check of everybody who does.
 *
 * ```ts
 * TcpClientServer.layer({ listen: "127.0.0.1:7201" }).pipe(
 *   Layer.provide(ClientServer.layer(Counter)),
 *   Layer.provide(Raft.layer(Counter, { ... }))
 * )
 * ```
 *
 * Connections in plain text are callbacks on flowing sockets, without a fiber each; one fiber looks after all
 * of them, for clients that never introduce themselves and for those that are gone without a word.
 */
import { ClientEntrance } from "@effect-raft/core/ClientEntrance"
import type { PeerAddress } from "@effect-raft/core/Membership"
import { ListenFailed, TransportError } from "@effect-raft/core/RaftTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Address from "./Address.ts"
import { ClientReception } from "./ClientReception.ts"
import * as ClientSockets from "./ClientSockets.ts"
import * as Listener from "./Listener.ts"
import type { TlsFiles } from "./Credentials.ts"
import * as QuietLog from "./QuietLog.ts"
import * as Security from "./Security.ts"

/** Settings of a listener; all but `listen` have a default. */
export interface Options {
  /** Where to listen for clients: "127.0.0.1:7201", "[::1]:7201". Port 0 takes any free port. */
  readonly listen: PeerAddress
  /** The node's certificate; its clients must show one too. Without it everything is in plain text. */
  readonly tls?: TlsFiles
  /** Whether plain text may leave this machine, where there is no `tls`. Default: false. */
  readonly insecure?: boolean
  /** Larger frames end the connection. Default: 16 MiB. */
  readonly maxFrameBytes?: number
  /** More connections than this are closed at once. Default: 10,000. */
  readonly maxConnections?: number
  /** How long a client may take to introduce itself. Default: 5,000. */
  readonly handshakeTimeoutMillis?: number
  /** A client that is silent for so long is taken for gone; clients give signs of life. Default: 15,000. */
  readonly silenceMillis?: number
}

const defaults = {
  maxFrameBytes: 16 * 1024 * 1024,
  maxConnections: 10_000,
  handshakeTimeoutMillis: 5000,
  silenceMillis: 15_000
} as const

/** The address at which clients are heard, with the real port where 0 was asked for. */
export class ClientAddress extends Context.Service<ClientAddress, PeerAddress>()(
  "@effect-raft/transport-tcp/ClientAddress"
) {}

/** Listens until the scope closes; answers with the address. */
export const make: (
  options: Options
) => Effect.Effect<PeerAddress, TransportError, ClientEntrance | Scope.Scope> = Effect.fnUntraced(
  function* (options) {
    const settings = { ...defaults, ...options }
    const target = Address.parse(settings.listen)
    if (typeof target === "string") return yield* listenFailed(settings.listen, target)
    const security = yield* Effect.catch(ClientSockets.securityOf(settings), ({ detail }) =>
      listenFailed(settings.listen, detail)
    )
    const refusal = Security.refusalOf(security, target.host)
    if (refusal !== undefined) return yield* listenFailed(settings.listen, refusal)
    const reception = new ClientReception({
      ...settings,
      security,
      entrance: yield* ClientEntrance,
      warn: QuietLog.make(),
      fork: yield* FiberSet.makeRuntime()
    })
    const server = yield* ClientSockets.listen(target, (socket) => reception.welcome(socket)).pipe(
      Effect.catch((error) => listenFailed(settings.listen, Listener.explain(error)))
    )
    // After the server's own finalizer was added, so that this one runs first: a server closes when its
    // last connection has.
    yield* Effect.addFinalizer(() => Effect.sync(() => reception.close()))
    yield* reception.lookAfter.pipe(Effect.annotateLogs({ fiber: "client listener" }), Effect.forkScoped)
    return Address.format({ host: target.host, port: ClientSockets.portOf(server) })
  }
)

/** Listens at `options.listen` for clients of the entrance. */
export const layer = (options: Options): Layer.Layer<ClientAddress, TransportError, ClientEntrance> =>
  Layer.effect(ClientAddress, make(options))

const listenFailed = (address: string, detail: string) =>
  Effect.fail(new TransportError({ reason: new ListenFailed({ callers: "clients", address, detail }) }))
