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
import { ConnectionLost, DialFailed } from "./PeerError.ts"

export interface Wire {
  /** The other end, for a log. */
  readonly remote: Address.HostPort
  /** Waits for bytes. A chunk is never written again. */
  readonly pull: Effect.Effect<ReadonlyArray<Uint8Array>, ConnectionLost>
  /** Writes ranges in one go; waits while the peer is behind. */
  readonly write: (ranges: ReadonlyArray<Uint8Array>) => Effect.Effect<void, ConnectionLost>
  /** Closes at once; what was not sent yet is lost. */
  readonly destroy: Effect.Effect<void>
}

/** Dials `target`. The wire is destroyed when the scope closes. */
export const dial: (
  target: Address.HostPort,
  timeoutMillis: number
) => Effect.Effect<Wire, DialFailed | ConnectionLost, Scope.Scope> = Effect.fnUntraced(
  function* (target, timeoutMillis) {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => Net.connect({ ...target, noDelay: true })),
      (socket) => Effect.sync(() => socket.destroy())
    )
    yield* connected(socket).pipe(
      Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () => dialFailed(`no answer within ${timeoutMillis} ms`, false)
      }),
      Effect.mapError(
        (error) =>
          new DialFailed({ nobodyListens: error.nobodyListens, detail: `cannot reach it: ${error.detail}` })
      )
    )
    return yield* make(yield* NodeSocket.fromDuplex(Effect.succeed(socket)), target, Option.some(socket))
  }
)

const connected = (socket: Net.Socket): Effect.Effect<void, DialFailed> =>
  Effect.callback((resume) => {
    socket.once("connect", () => resume(Effect.void))
    // Stays for the life of the socket: an error that nobody listens to would end the process.
    socket.on("error", (error) =>
      resume(dialFailed(error.message, "code" in error && error.code === "ECONNREFUSED"))
    )
  })

const dialFailed = (detail: string, nobodyListens: boolean) =>
  Effect.fail(new DialFailed({ detail, nobodyListens }))

/** Takes over a socket that a server accepted. It is closed politely when the scope closes. */
export const accept: (socket: Socket.Socket) => Effect.Effect<Wire, ConnectionLost, Scope.Scope> =
  Effect.fnUntraced(function* (socket) {
    const accepted = yield* Effect.serviceOption(NodeSocket.NetSocket)
    const { remoteAddress, remotePort } = Option.getOrElse(accepted, (): Partial<Net.Socket> => ({}))
    return yield* make(socket, { host: remoteAddress ?? "unknown", port: remotePort ?? 0 }, accepted)
  })

const make = Effect.fnUntraced(function* (
  socket: Socket.Socket,
  remote: Address.HostPort,
  raw: Option.Option<Net.Socket>
) {
  const reader = yield* socket.reader.pipe(Effect.mapError(toLost))
  const writer = yield* socket.writer
  return {
    remote,
    pull: Effect.mapError(Effect.map(reader.pull, toBytes), toLost),
    write: (ranges: ReadonlyArray<Uint8Array>) =>
      isNonEmpty(ranges) ? Effect.mapError(writer.writeAll(ranges), toLost) : Effect.void,
    destroy: Effect.sync(() => Option.map(raw, (socket) => socket.destroy()))
  }
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
