/**
 * The clients of a node: everybody who has connected, from the first byte to the last.
 *
 * Anything may call: a client, a client of another cluster, a browser, a port scanner. Until a caller has
 * introduced itself it gets little time and little memory, and what is wrong with it is logged in one line.
 */
import type { ClientEntrance, Visit } from "@effect-raft/core/ClientEntrance"
import { refusalOf } from "@effect-raft/core/ClientMessage"
import type { ClientRequest } from "@effect-raft/core/ClientMessage"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import * as ClientCodec from "./ClientCodec.ts"
import * as ClientHandshake from "./ClientHandshake.ts"
import type { Proof } from "./Certificate.ts"
import { plain } from "./ClientSockets.ts"
import type { Credentials } from "./Credentials.ts"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import * as Parcel from "./Parcel.ts"
import * as ParcelSocket from "./ParcelSocket.ts"
import { ConnectionLost } from "./PeerError.ts"
import * as SecureSocket from "./SecureSocket.ts"
import type { Examined } from "./SecureSocket.ts"
import type { Security } from "./Security.ts"
import * as Versions from "./Versions.ts"

export interface ReceptionOptions {
  readonly entrance: ClientEntrance["Service"]
  readonly maxFrameBytes: number
  readonly maxConnections: number
  readonly handshakeTimeoutMillis: number
  readonly silenceMillis: number
  /** Says something once, not once per caller. */
  readonly warn: (words: string) => Effect.Effect<void>
  readonly security: Security
  /** Runs what a callback cannot, until the listener closes. */
  readonly fork: (effect: Effect.Effect<void>) => unknown
}

export class ClientReception {
  private readonly options: ReceptionOptions
  /** Sockets that are open, those included whose callers have not said a word yet. */
  private readonly sockets = new Set<Net.Socket>()
  private readonly callers = new Set<Caller>()

  constructor(options: ReceptionOptions) {
    this.options = options
  }

  /** Takes a connection on. */
  welcome(raw: Net.Socket): void {
    const host = raw.remoteAddress ?? "unknown"
    const { fork, maxConnections, security } = this.options
    raw.on("error", ignore)
    if (this.sockets.size >= maxConnections) {
      raw.destroy()
      return this.warn(`Closed a client's connection from ${host}: ${maxConnections} are open already`)
    }
    this.sockets.add(raw)
    raw.once("close", () => this.sockets.delete(raw))
    if (security._tag === "Plain") this.hear(plain(raw), host)
    else fork(this.secure(raw, security.credentials, host))
  }

  /** The TLS handshake before everything else; its fiber lives as long as the connection. */
  private secure(raw: Net.Socket, credentials: Credentials, host: string): Effect.Effect<void> {
    const { handshakeTimeoutMillis } = this.options
    return SecureSocket.accept(raw, credentials).pipe(
      Effect.timeoutOrElse({
        duration: handshakeTimeoutMillis,
        orElse: () =>
          Effect.fail(
            new ConnectionLost({ detail: `no TLS connection came about in ${handshakeTimeoutMillis} ms` })
          )
      }),
      Effect.flatMap((examined) =>
        Effect.callback<void>((resume) => {
          raw.once("close", () => resume(Effect.void))
          this.hear(examined, host)
        })
      ),
      Effect.scoped,
      Effect.catch(({ detail }) => this.options.warn(`Closed a client's connection from ${host}: ${detail}`)),
      Effect.annotateLogs({ fiber: "client connection" })
    )
  }

  private hear(examined: Examined, host: string): void {
    const caller: Caller = new Caller(examined, this.options, (trouble) => {
      this.callers.delete(caller)
      if (trouble !== undefined) this.warn(`Closed a client's connection from ${host}: ${trouble}`)
    })
    this.callers.add(caller)
    caller.listen()
  }

  /** Ends the connections that have been silent for too long. */
  get lookAfter(): Effect.Effect<never> {
    const { handshakeTimeoutMillis, silenceMillis } = this.options
    const lookMillis = Math.max(1, Math.floor(Math.min(handshakeTimeoutMillis, silenceMillis) / 4))
    const look = Effect.sync(() => {
      for (const caller of Array.from(this.callers)) caller.look(lookMillis)
    })
    return Effect.forever(Effect.andThen(Effect.sleep(lookMillis), look))
  }

  close(): void {
    for (const caller of Array.from(this.callers)) caller.close()
    for (const socket of Array.from(this.sockets)) socket.destroy()
  }

  private warn(words: string): void {
    this.options.fork(this.options.warn(words))
  }
}

/** Who reads or writes hears of it as well; an error that nobody listens to would end the process. */
const ignore = () => {}

/** One connection. `onGone` is called once, with what was wrong with the caller, if anything was. */
class Caller {
  private readonly options: ReceptionOptions
  private readonly onGone: (trouble: string | undefined) => void
  private readonly socket: ParcelSocket.ParcelSocket
  private readonly proof: Proof
  private visit: Visit | undefined
  private isGone = false
  private silentMillis = 0
  /** How long it has been there without saying who it is. */
  private waitedMillis = 0

  constructor(
    { proof, socket }: Examined,
    options: ReceptionOptions,
    onGone: (trouble: string | undefined) => void
  ) {
    this.options = options
    this.onGone = onGone
    this.proof = proof
    this.socket = new ParcelSocket.ParcelSocket(socket, {
      frameType: ClientHandshake.frameTypes.Answers,
      maxHandshakeBytes: ClientHandshake.maxHandshakeBytes,
      onLost: (detail) => this.gone(detail)
    })
  }

  // --- the handshake ----------------------------------------------------------------------------------

  listen(): void {
    let theirs: Versions.Versions | undefined
    this.socket.read((reader) => {
      theirs ??= ClientHandshake.takePreamble(reader)
      if (theirs === undefined) return
      const version = Versions.common(ClientHandshake.ourVersions, theirs)
      if (version === undefined) return this.refuse(ClientHandshake.versionRefusal(theirs))
      if (!reader.next()) return
      const hello = ClientHandshake.decodeHello(reader)
      const welcome = this.options.entrance.welcome()
      const refusal = this.proof.distrust ?? refusalOf(hello, welcome)
      if (refusal !== undefined) return this.refuse(refusal)
      this.socket.say((writer) => {
        writer.raw(ClientHandshake.preamble())
        ClientHandshake.encodeWelcome(writer, version, welcome)
      })
      this.admit(welcome.maxInFlight)
    })
  }

  private refuse(reason: string): void {
    this.socket.closeAfter((writer) => {
      writer.raw(ClientHandshake.preamble())
      ClientHandshake.encodeRefuse(writer, reason)
    })
    this.leave(reason)
  }

  // --- the traffic ------------------------------------------------------------------------------------

  private admit(maxInFlight: number): void {
    const visit = this.options.entrance.admit({
      answer: (answer) => void this.socket.post(ClientCodec.answerToParcel(answer))
    })
    this.visit = visit
    this.socket.read((reader) => {
      while (reader.next()) this.frame(reader, visit)
      // Who asks and does not read the answers is not heard until he has.
      if (this.socket.queued > maxInFlight) this.socket.pauseUntilWritten()
    }, this.options.maxFrameBytes)
  }

  private frame(reader: FrameReader, visit: Visit): void {
    switch (reader.type) {
      case ClientHandshake.frameTypes.Requests: {
        const requests: Array<ClientRequest> = []
        Parcel.decode(reader, (id, kind, bytes) => requests.push(ClientCodec.requestOf(id, kind, bytes)))
        reader.keep()
        return visit.take(requests)
      }
      case ClientHandshake.frameTypes.Ping:
        return this.socket.say(ParcelSocket.pong)
      case ClientHandshake.frameTypes.Pong:
        return
      default:
        throw new MalformedFrame({ detail: `a frame of type ${reader.type}, which there is not` })
    }
  }

  // --- the end ----------------------------------------------------------------------------------------

  /** `passedMillis` after the last look. */
  look(passedMillis: number): void {
    const { handshakeTimeoutMillis, silenceMillis } = this.options
    this.silentMillis = this.socket.heard ? 0 : this.silentMillis + passedMillis
    this.socket.heard = false
    if (this.visit === undefined) {
      this.waitedMillis += passedMillis
      if (this.waitedMillis >= handshakeTimeoutMillis)
        this.socket.lose(`it did not say who it is in ${handshakeTimeoutMillis} ms`)
    } else if (this.silentMillis >= silenceMillis) {
      this.socket.lose(`nothing was heard for ${this.silentMillis} ms`)
    }
  }

  close(): void {
    this.socket.close()
    this.leave(undefined)
  }

  private gone(detail: string): void {
    // A client that closes its connection is nothing to write home about, one that never said a word is.
    this.leave(this.visit === undefined || detail !== ParcelSocket.closedByOther ? detail : undefined)
  }

  private leave(trouble: string | undefined): void {
    if (this.isGone) return
    this.isGone = true
    this.visit?.end()
    this.onGone(trouble)
  }
}
