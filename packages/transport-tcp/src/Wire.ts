/**
 * An open socket, reduced to what a link does with it.
 *
 * Effect's sockets close politely: they wait until what was written has been taken. A peer that is stopped
 * never takes it, so a wire can also be destroyed, and an established one always ends that way; what is
 * lost with it Raft sends again.
 */
import * as NodeSocket from "@effect/platform-node-shared/NodeSocket"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as Net from "node:net"
import type * as Address from "./Address.ts"
import * as Certificate from "./Certificate.ts"
import { ConnectionLost, DialFailed } from "./PeerError.ts"
import * as SecureSocket from "./SecureSocket.ts"
import * as Security from "./Security.ts"

export interface Wire {
  /** The other end, for a log. */
  readonly remote: Address.HostPort
  /** What the other end has proved of itself; to be looked at before it is believed anything. */
  readonly proof: Certificate.Proof
  /** Waits for bytes. A chunk is never written again. */
  readonly pull: Effect.Effect<ReadonlyArray<Uint8Array>, ConnectionLost>
  /** Writes ranges in one go; waits while the peer is behind. */
  readonly write: (ranges: ReadonlyArray<Uint8Array>) => Effect.Effect<void, ConnectionLost>
  /** Writes nothing more, and waits until what was written is on its way. */
  readonly finish: Effect.Effect<void>
  /** Closes at once; what was not sent yet is lost. */
  readonly destroy: Effect.Effect<void>
}

/** Dials `target`. The wire is destroyed when the scope closes. */
export const dial: (
  target: Address.HostPort,
  options: { readonly security: Security.Security; readonly timeoutMillis: number }
) => Effect.Effect<Wire, DialFailed | ConnectionLost, Scope.Scope> = Effect.fnUntraced(function* (
  target,
  { security, timeoutMillis }
) {
  const refusal = Security.refusalOf(security, target.host)
  if (refusal !== undefined) return yield* dialFailed(refusal)
  const { proof, socket } = yield* connect(target, security).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => dialFailed(`no answer within ${timeoutMillis} ms`)
    }),
    Effect.mapError(
      (error) =>
        new DialFailed({ nobodyListens: error.nobodyListens, detail: `cannot reach it: ${error.detail}` })
    )
  )
  return yield* make(yield* NodeSocket.fromDuplex(Effect.succeed(socket)), socket, target, proof)
})

const connect = (target: Address.HostPort, security: Security.Security) =>
  security._tag === "Tls" ? SecureSocket.dial(target, security.credentials) : connectPlain(target)

const connectPlain = Effect.fnUntraced(function* (target: Address.HostPort) {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect({ ...target, noDelay: true })),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* SecureSocket.connected(socket, "connect")
  return { socket, proof: Certificate.nothingAsked }
})

const dialFailed = (detail: string) => Effect.fail(new DialFailed({ detail, nobodyListens: false }))

/** Takes over a socket that a server accepted. It is closed politely when the scope closes. */
export const accept: (
  socket: Socket.Socket,
  security: Security.Security
) => Effect.Effect<Wire, ConnectionLost, Scope.Scope> = Effect.fnUntraced(function* (socket, security) {
  const raw = yield* rawOf
  const remote = remoteOf(raw)
  if (security._tag === "Plain") return yield* make(socket, raw, remote, Certificate.nothingAsked)
  const examined = yield* SecureSocket.accept(raw, security.credentials)
  const duplex = yield* NodeSocket.fromDuplex(Effect.succeed(examined.socket))
  return yield* make(duplex, examined.socket, remote, examined.proof)
})

/** The socket below; whoever handles a connection of a Node server is given it. */
const rawOf = Effect.map(Effect.serviceOption(NodeSocket.NetSocket), Option.getOrThrow)

/** Who is at the other end of the connection that is being handled. */
export const remote: Effect.Effect<Address.HostPort> = Effect.map(rawOf, (raw) => remoteOf(raw))

/** Ends the connection that is being handled, without a word. */
export const hangUp: Effect.Effect<void> = Effect.map(rawOf, (raw) => void raw.destroy())

const remoteOf = ({ remoteAddress, remotePort }: Net.Socket): Address.HostPort => ({
  host: remoteAddress ?? "unknown",
  port: remotePort ?? 0
})

const make = Effect.fnUntraced(function* (
  socket: Socket.Socket,
  raw: Net.Socket,
  remote: Address.HostPort,
  proof: Certificate.Proof
) {
  const reader = yield* socket.reader.pipe(Effect.mapError(toLost))
  const writer = yield* socket.writer
  const wire: Wire = {
    remote,
    proof,
    pull: Effect.mapError(Effect.map(reader.pull, toBytes), toLost),
    write: (ranges: ReadonlyArray<Uint8Array>) =>
      isNonEmpty(ranges) ? Effect.mapError(writer.writeAll(ranges), toLost) : Effect.void,
    finish: Effect.callback<void>((resume) => {
      raw.once("close", () => resume(Effect.void))
      raw.end(() => resume(Effect.void))
    }),
    destroy: Effect.sync(() => raw.destroy())
  }
  return wire
})

const isNonEmpty = <A>(list: ReadonlyArray<A>): list is Arr.NonEmptyReadonlyArray<A> => list.length > 0

const utf8 = new TextEncoder()

/** A socket without an encoding gives bytes only; its type does not say so. */
const toBytes = (chunks: ReadonlyArray<Uint8Array | string>): ReadonlyArray<Uint8Array> =>
  chunks.map((chunk) => (typeof chunk === "string" ? utf8.encode(chunk) : chunk))

const toLost = ({ reason }: Socket.SocketError): ConnectionLost => {
  if (reason._tag === "SocketCloseError")
    return new ConnectionLost({ detail: "the peer closed the connection" })
  const cause = reason.cause
  return new ConnectionLost({ detail: cause instanceof Error ? cause.message : reason.message })
}
