/**
 * An HTTP server that takes TLS only, and only clients with a certificate of the authority.
 *
 * ```ts
 * Layer.unwrap(Effect.map(SecureHttpServer.make(files), (createServer) =>
 *   NodeHttpServer.layer(createServer, { host, port })
 * ))
 * ```
 *
 * A client without the right certificate gets as far as an answer that says so, and no further: its
 * connection is handed to another server, which gives that answer to everything. So is that of a client
 * who speaks plain HTTP. A client that refuses this node's certificate goes without a word, or with a TLS
 * alert; the node's operator is told that, too.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import * as Credentials from "./Credentials.ts"
import { ConnectionLost } from "./PeerError.ts"
import * as QuietLog from "./QuietLog.ts"
import * as SecureSocket from "./SecureSocket.ts"

// An import would evaluate all that `node:http` exports, its WebSocket too, for which it loads a whole HTTP client.
const { Server, createServer } = process.getBuiltinModule("node:http")

/** How long a client may take for the TLS handshake, and one that is refused for its request. */
export const handshakeMillis = 5_000

/** Reads the certificates, and gives a function that makes the server, as `NodeHttpServer` wants it. */
export const make: (
  files: Credentials.TlsFiles
) => Effect.Effect<() => Http.Server, Credentials.CredentialsInvalid, Scope.Scope> = Effect.fnUntraced(
  function* (files) {
    const credentials = yield* Credentials.make(files)
    const warn = QuietLog.make()
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    return () => new GuardedServer((guest) => void fork(receive(guest, { credentials, warn })))
  }
)

/** Who has connected, and what can become of him. */
interface Guest {
  readonly raw: Net.Socket
  readonly admit: (socket: Net.Socket) => void
  readonly sendAway: (socket: Net.Socket, why: string) => void
  /** Whether he has asked for anything by this socket. */
  readonly hasAsked: (socket: Net.Socket) => boolean
  /** He is gone, or let in. */
  readonly settled: () => void
}

/** The way of one connection, from its first byte to its end. */
const receive = (
  guest: Guest,
  options: {
    readonly credentials: Credentials.Credentials
    readonly warn: (words: string) => Effect.Effect<void>
  }
): Effect.Effect<void> => {
  const { admit, hasAsked, raw, sendAway, settled } = guest
  const host = raw.remoteAddress ?? "unknown"
  return SecureSocket.accept(raw, options.credentials).pipe(
    Effect.timeoutOrElse({ duration: handshakeMillis, orElse: () => Effect.fail(tooSlow) }),
    Effect.flatMap(({ proof: { distrust }, socket }) => {
      if (distrust === undefined)
        return Effect.andThen(
          Effect.sync(() => admit(socket)),
          Effect.flatMap(closed(socket), (alert) =>
            hasAsked(socket)
              ? Effect.void
              : options.warn(`A client at ${host} left without a request: ${alert ?? mayDistrust}`)
          )
        )
      return Effect.andThen(
        options.warn(`Refused a client at ${host}: ${distrust}`),
        Effect.andThen(
          Effect.sync(() => sendAway(socket, distrust)),
          closed(socket)
        )
      )
    }),
    Effect.scoped,
    Effect.catch(({ detail }) => options.warn(`A client at ${host} was not let in: ${detail}`)),
    Effect.ensuring(Effect.sync(settled)),
    Effect.annotateLogs({ fiber: "https connection" })
  )
}

const tooSlow = new ConnectionLost({
  detail: `it did not finish the TLS handshake in ${handshakeMillis} ms`
})

const mayDistrust = "it may not trust this node's certificate"

/** Waits for the end of a socket; gives what went wrong with it, such as the alert of a client without trust. */
const closed = (socket: Net.Socket): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    let wrong: string | undefined
    const failed = (error: Error) => void (wrong = error.message)
    const done = () => resume(Effect.succeed(wrong))
    if (socket.closed) return done()
    socket.once("error", failed).once("close", done)
    return Effect.sync(() => socket.off("error", failed).off("close", done))
  })

/** A server whose connections are looked at before it reads HTTP from them. */
class GuardedServer extends Server {
  /** Those who are not let in. */
  private readonly outside = new Set<Net.Socket>()
  private readonly reasons = new WeakMap<Net.Socket, string>()
  private readonly asked = new WeakSet<Net.Socket>()
  private readonly doorman = createServer((request, response) => {
    const why = this.reasons.get(request.socket) ?? "it is not let in"
    const body = { error: "ClientRefused", message: `This client is refused: ${why}`, outcome: "none" }
    response.writeHead(request.socket instanceof Tls.TLSSocket ? 403 : 400, {
      "content-type": "application/json",
      connection: "close"
    })
    response.end(JSON.stringify(body))
  })

  constructor(arrived: (guest: Guest) => void) {
    super()
    // Node's own listeners read HTTP from whoever connects; now only from whom they are given.
    const serve = this.listeners("connection")
    this.removeAllListeners("connection")
    this.on("request", ({ socket }) => void this.asked.add(socket))
    this.on("connection", (raw) => {
      raw.pause()
      this.outside.add(raw)
      const settled = () => void this.outside.delete(raw)
      const admit = (socket: Net.Socket) => {
        settled()
        for (const listener of serve) Reflect.apply(listener, this, [socket])
      }
      const hasAsked = (socket: Net.Socket) => this.asked.has(socket)
      arrived({ raw, admit, settled, hasAsked, sendAway: (socket, why) => this.sendAway(socket, why) })
    })
  }

  private sendAway(socket: Net.Socket, why: string): void {
    this.reasons.set(socket, why)
    socket.setTimeout(handshakeMillis, () => socket.destroy())
    this.doorman.emit("connection", socket)
    socket.resume()
  }

  /** Those who are not let in are not waited for. */
  override close(callback?: (error?: Error) => void): this {
    for (const socket of this.outside) socket.destroy()
    return super.close(callback)
  }
}
