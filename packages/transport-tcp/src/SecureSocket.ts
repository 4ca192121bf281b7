/**
 * The TLS handshake, from either end.
 *
 * Node would destroy a connection whose other end it does not trust, and neither side would learn why. So
 * it is told to let everybody through, and what it found is handed on as a `Proof`, to be acted upon
 * before anything else is read: the refusal is said in words, inside the encrypted connection.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import type * as Address from "./Address.ts"
import * as Certificate from "./Certificate.ts"
import type { Credentials } from "./Credentials.ts"
import { ConnectionLost, DialFailed } from "./PeerError.ts"

/** A socket whose other end has been looked at. */
export interface Examined {
  readonly socket: Net.Socket
  readonly proof: Certificate.Proof
}

/** What is not TLS 1.3 is not spoken: both ends are ours, or young enough. */
const minVersion = "TLSv1.3"

/** Certificates are asked for, looked at, and judged by whoever asked for the socket. */
const judgedLater = { requestCert: true, rejectUnauthorized: false, minVersion } as const

/**
 * The listener's part, on a socket that was just accepted. Somebody who speaks plain text is handed on as
 * he is, distrusted. The socket is closed politely when the scope closes.
 */
export const accept = (
  raw: Net.Socket,
  credentials: Credentials
): Effect.Effect<Examined, ConnectionLost, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.onError(examine(raw, credentials), () => Effect.sync(() => raw.destroy())),
    ({ socket }) => Effect.sync(() => socket.destroySoon()),
    { interruptible: true }
  )

const examine = Effect.fnUntraced(function* (raw: Net.Socket, credentials: Credentials) {
  if ((yield* firstByte(raw)) !== clientHello) {
    return { socket: raw, proof: Certificate.distrusted(plainText) }
  }
  const socket = yield* secured(raw, credentials)
  return { socket, proof: Certificate.proofOf(socket) }
})

const plainText = "it speaks plain text, and this end takes TLS only; start it with a certificate"

/** The first byte of everybody who begins a TLS handshake. */
export const clientHello = 0x16

/** Looks at the first byte and leaves it where it is. */
const firstByte = (raw: Net.Socket): Effect.Effect<number | undefined, ConnectionLost> =>
  Effect.callback((resume) => {
    const look = () => {
      const bytes: unknown = raw.read()
      if (!(bytes instanceof Uint8Array)) return
      forget()
      raw.unshift(bytes)
      resume(Effect.succeed(bytes[0]))
    }
    const gone = () => {
      forget()
      resume(Effect.fail(new ConnectionLost({ detail: "it closed the connection without a word" })))
    }
    const forget = () => raw.off("readable", look).off("end", gone).off("close", gone)
    raw.on("readable", look).on("end", gone).on("close", gone)
    look()
    return Effect.sync(forget)
  })

/**
 * A server for one connection. Only a server tells whether the other end's certificate holds, and only
 * with one for each connection is it beyond doubt whose certificate that was. It costs half a millisecond,
 * less than the handshake, and no session can be taken up again without a new look at the certificate.
 */
const secured = (raw: Net.Socket, credentials: Credentials): Effect.Effect<Tls.TLSSocket, ConnectionLost> =>
  Effect.callback((resume) => {
    const server = Tls.createServer({ ...credentials.pem(), ...judgedLater })
    // Who goes during the handshake is gone, also where he might have had the last word after it.
    const { allowHalfOpen } = raw
    raw.allowHalfOpen = false
    const failed = (error: unknown) =>
      resume(Effect.fail(new ConnectionLost({ detail: `no TLS connection came about: ${describe(error)}` })))
    server.once("secureConnection", (socket) => {
      socket.on("error", ignore)
      socket.allowHalfOpen = allowHalfOpen
      resume(Effect.succeed(socket))
    })
    server.on("tlsClientError", (error, socket) => {
      socket.destroy()
      failed(error)
    })
    const closed = () => failed(new Error(wentAway))
    if (raw.closed) return closed()
    raw.once("close", closed)
    server.emit("connection", raw)
  })

/** An error that nobody listens to would end the process; whoever reads or writes hears of it as well. */
const ignore = () => {}

/** The dialler's part: connects, and secures the connection. The socket is destroyed when the scope closes. */
export const dial: (
  target: Address.HostPort,
  credentials: Credentials
) => Effect.Effect<Examined, DialFailed, Scope.Scope> = Effect.fnUntraced(function* (target, credentials) {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Tls.connect({
        ...target,
        ...credentials.pem(),
        ...judgedLater,
        // The name to be proved is the node's, not its host's; who asked for the socket knows it.
        checkServerIdentity: () => undefined
      }).setNoDelay(true)
    ),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* connected(socket, "secureConnect")
  return { socket, proof: Certificate.proofOf(socket) }
})

/** Waits until a socket that is being connected has got so far. */
export const connected = (
  socket: Net.Socket,
  event: "connect" | "secureConnect"
): Effect.Effect<void, DialFailed> =>
  Effect.callback((resume) => {
    socket.once(event, () => resume(Effect.void))
    // Stays for the life of the socket: an error that nobody listens to would end the process.
    socket.on("error", (error) =>
      resume(
        Effect.fail(
          new DialFailed({
            detail: describe(error),
            nobodyListens: "code" in error && error.code === "ECONNREFUSED"
          })
        )
      )
    )
  })

const wentAway = "the other end went during the handshake; it may not trust the certificate of this one"

const describe = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return "the other end does not speak TLS"
  // Node goes without a word where other programs send an alert.
  if (code === "ECONNRESET") return wentAway
  // OpenSSL's message is a path through its sources; the reason alone is in a field of its own.
  if (error instanceof Error && "reason" in error && typeof error.reason === "string") return error.reason
  return error instanceof Error ? error.message : String(error)
}
