/**
 * Where the sockets of clients and nodes come from, and what their other ends have proved, before a word of
 * the client protocol is said on them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type * as Address from "./Address.ts"
import * as Certificate from "./Certificate.ts"
import * as Credentials from "./Credentials.ts"
import type { CredentialsInvalid, TlsFiles } from "./Credentials.ts"
import { DialFailed } from "./PeerError.ts"
import * as SecureSocket from "./SecureSocket.ts"
import type { Examined } from "./SecureSocket.ts"
import * as Security from "./Security.ts"

/** What the settings of a client or a listener ask for. */
export const securityOf = (options: {
  readonly tls?: TlsFiles
  readonly insecure?: boolean
}): Effect.Effect<Security.Security, CredentialsInvalid, Scope.Scope> =>
  options.tls === undefined
    ? Effect.succeed({ _tag: "Plain", anywhere: options.insecure === true })
    : Effect.map(Credentials.make(options.tls), (credentials) => ({ _tag: "Tls", credentials }))

/** Dials `target`. The socket is destroyed when the scope closes. */
export const dial = (
  target: Address.HostPort,
  security: Security.Security
): Effect.Effect<Examined, DialFailed, Scope.Scope> => {
  const refusal = Security.refusalOf(security, target.host)
  if (refusal !== undefined) return Effect.fail(new DialFailed({ detail: refusal, nobodyListens: false }))
  return security._tag === "Tls" ? SecureSocket.dial(target, security.credentials) : dialPlain(target)
}

const dialPlain = Effect.fnUntraced(function* (target: Address.HostPort) {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect({ ...target, noDelay: true })),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* SecureSocket.connected(socket, "connect")
  return plain(socket)
})

/** A socket of which no proof is asked. */
export const plain = (socket: Net.Socket): Examined => ({ socket, proof: Certificate.nothingAsked })

/** Listens at `target` until the scope closes, which waits for the sockets that were accepted. */
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
