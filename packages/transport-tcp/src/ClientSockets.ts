/**
 * Where the sockets of clients and nodes come from, before a word is said on them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type * as Address from "./Address.ts"
import { DialFailed } from "./PeerError.ts"

/** Dials `target`. The socket is destroyed when the scope closes. */
export const dial: (target: Address.HostPort) => Effect.Effect<Net.Socket, DialFailed, Scope.Scope> =
  Effect.fnUntraced(function* (target) {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => Net.connect({ ...target, noDelay: true })),
      (socket) => Effect.sync(() => socket.destroy())
    )
    yield* connected(socket)
    return socket
  })

const connected = (socket: Net.Socket): Effect.Effect<void, DialFailed> =>
  Effect.callback((resume) => {
    socket.once("connect", () => resume(Effect.void))
    // Stays for the life of the socket: an error that nobody listens to would end the process.
    socket.on("error", (error) => {
      const nobodyListens = "code" in error && error.code === "ECONNREFUSED"
      resume(Effect.fail(new DialFailed({ detail: error.message, nobodyListens })))
    })
  })

/** Listens at `target` until the scope closes; then the sockets that it has accepted are destroyed too. */
export const listen = (
  target: Address.HostPort,
  onSocket: (socket: Net.Socket) => void
): Effect.Effect<Net.Server, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Server, Error>((resume) => {
      const server = Net.createServer({ noDelay: true }, onSocket)
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen(target, () => resume(Effect.succeed(server)))
      return Effect.sync(() => void server.close())
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** The port that a server got. */
export const portOf = (server: Net.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}
