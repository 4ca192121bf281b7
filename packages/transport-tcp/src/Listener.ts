/**
 * The port at which a node's peers call, and the check of everybody who does.
 *
 * Anything may call: a peer, a peer of another cluster, a browser, a port scanner. Until a caller has
 * introduced itself it gets little time and little memory, and what is wrong with it is logged in one line.
 */
import { ListenFailed, TransportError } from "@effect-raft/core/RaftTransport"
import * as NodeSocketServer from "@effect/platform-node-shared/NodeSocketServer"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Address from "./Address.ts"
import type { Hello } from "./Handshake.ts"
import type { Introduced } from "./Introduction.ts"
import * as Introduction from "./Introduction.ts"
import { NotAPeer, NotOpenYet } from "./PeerError.ts"
import type { PeerError } from "./PeerError.ts"
import type { TcpEndpoint } from "./TcpEndpoint.ts"
import * as Security from "./Security.ts"
import type { TcpSettings } from "./TcpTransport.ts"
import * as Wire from "./Wire.ts"

/** Binds the address; fails in words that name it. Connections wait until {@link serve} runs. */
export const bind: (
  listen: string,
  security: Security.Security
) => Effect.Effect<SocketServer.SocketServer["Service"], TransportError, Scope.Scope> = Effect.fnUntraced(
  function* (listen, security) {
    const target = Address.parse(listen)
    if (typeof target === "string") return yield* listenFailed(listen, target)
    const refusal = Security.refusalOf(security, target.host)
    if (refusal !== undefined) return yield* listenFailed(listen, refusal)
    return yield* NodeSocketServer.make({ ...target, noDelay: true }).pipe(
      Effect.catch(({ reason }) => listenFailed(listen, explain(reason.cause)))
    )
  }
)

const listenFailed = (address: string, detail: string) =>
  Effect.fail(new TransportError({ reason: new ListenFailed({ address, detail }) }))

/** Why an address cannot be listened at, in words. */
export const explain = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  switch (code) {
    case "EADDRINUSE":
      return "the address is in use; is another node running there? (EADDRINUSE)"
    case "EADDRNOTAVAIL":
      return "this machine has no such address (EADDRNOTAVAIL)"
    case "EACCES":
      return "the port needs more rights; choose one above 1023 (EACCES)"
    case "ENOTFOUND":
      return "the host name is not known (ENOTFOUND)"
    default:
      return cause instanceof Error ? cause.message : String(cause)
  }
}

/** The address that a server got, with the real port where 0 was asked for. */
export const addressOf = (server: SocketServer.SocketServer["Service"], listen: string): string => {
  const host = listen.slice(0, listen.lastIndexOf(":"))
  return server.address._tag === "UnixPathAddress" ? listen : `${host}:${server.address.port}`
}

export interface ListenerOptions {
  readonly tcp: TcpSettings
  readonly security: Security.Security
  readonly warn: (words: string) => Effect.Effect<void>
  /** The endpoints that are open here now. */
  readonly endpoints: ReadonlySet<TcpEndpoint>
}

/** Takes calls until it is interrupted. */
export const serve = (
  server: SocketServer.SocketServer["Service"],
  options: ListenerOptions
): Effect.Effect<never> => {
  let connections = 0
  const count = (change: number) => Effect.sync(() => (connections += change))
  const handle = () =>
    Effect.acquireUseRelease(
      count(1),
      () => answer(options, connections > options.tcp.maxConnections),
      () => count(-1)
    )
  return server.run(handle).pipe(
    Effect.catch((error) => Effect.die(error)),
    Effect.annotateLogs({ fiber: "peer listener" })
  )
}

const answer = (options: ListenerOptions, tooMany: boolean) =>
  Effect.gen(function* () {
    const { tcp, warn } = options
    const { host } = yield* Wire.remote
    if (tooMany) {
      yield* Wire.hangUp
      return yield* warn(`Closed a connection from ${host}: ${tcp.maxConnections} are open already`)
    }
    const introduced = yield* welcome(options).pipe(
      Effect.timeoutOrElse({
        duration: tcp.handshakeTimeoutMillis,
        orElse: () =>
          Effect.fail(
            new NotAPeer({ detail: `it did not say who it is in ${tcp.handshakeTimeoutMillis} ms` })
          )
      }),
      Effect.tapError((error) => complain(host, error, warn))
    )
    yield* introduced.endpoint.carry(introduced.hello, introduced)
  }).pipe(Effect.scoped, Effect.ignore)

const complain = (host: string, error: PeerError, warn: ListenerOptions["warn"]) => {
  switch (error._tag) {
    case "Refused":
    case "Distrusted":
      return warn(`Refused a connection from ${host}: ${error.message}`)
    case "NotAPeer":
      return warn(`Closed a connection from ${host}: ${error.message}`)
    case "NotOpenYet":
      // Every start of a cluster sees some of these.
      return Effect.logDebug(`Closed a connection from ${host}: ${error.message}`)
    case "ConnectionLost":
    case "DialFailed":
      return warn(`A connection from ${host} ended during the handshake: ${error.message}`)
  }
}

interface Welcomed extends Introduced {
  readonly hello: Hello
  readonly endpoint: TcpEndpoint
}

const welcome = Effect.fnUntraced(function* ({
  endpoints,
  security,
  tcp: { protocolVersions }
}: ListenerOptions) {
  const wire = yield* Wire.accept(security)
  const introduced = yield* Introduction.listen(wire, protocolVersions)
  const endpoint = meant(introduced.hello, endpoints)
  if (endpoint === undefined) return yield* new NotOpenYet()
  const refusal = endpoint.refusalOf(introduced.hello)
  if (refusal !== undefined) return yield* Introduction.refuse(wire, protocolVersions, refusal)
  yield* Introduction.accept(wire, protocolVersions, endpoint.attributes)
  const welcomed: Welcomed = { ...introduced, endpoint }
  return welcomed
})

/** The endpoint that a caller wants, or the one that comes nearest, to say what differs. */
const meant = (hello: Hello, endpoints: ReadonlySet<TcpEndpoint>): TcpEndpoint | undefined => {
  const likeness = ({ callee }: TcpEndpoint): number =>
    (callee.clusterId === hello.clusterId ? 4 : 0) +
    (callee.groupId === hello.groupId ? 2 : 0) +
    (callee.nodeId === hello.to ? 1 : 0)
  return Array.from(endpoints).sort((one, other) => likeness(other) - likeness(one))[0]
}
