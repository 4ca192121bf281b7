/**
 * A client's connections with nodes over TCP.
 *
 * ```ts
 * RaftClient.layer(Counter, { endpoints: ["127.0.0.1:7201", "127.0.0.1:7202"] }).pipe(
 *   Layer.provide(TcpClientTransport.layer())
 * )
 * ```
 *
 * A connection on which nothing was heard for a while asks for a sign of life, and is given up when none
 * comes: a node that is stopped, or whose machine is gone, keeps its connections open.
 */
import type { ClientAnswer, ClientRequest, Welcome } from "@effect-raft/core/ClientMessage"
import { ConnectFailed, RaftClientTransport } from "@effect-raft/core/RaftClientTransport"
import type { ClientConnection, ConnectOptions } from "@effect-raft/core/RaftClientTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Address from "./Address.ts"
import * as ClientCodec from "./ClientCodec.ts"
import * as ClientHandshake from "./ClientHandshake.ts"
import * as ClientSockets from "./ClientSockets.ts"
import type { CredentialsInvalid, TlsFiles } from "./Credentials.ts"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import * as Parcel from "./Parcel.ts"
import * as ParcelSocket from "./ParcelSocket.ts"
import { QueryPortions } from "./QueryPortions.ts"
import { refusalOf } from "./Security.ts"
import type { Security } from "./Security.ts"
import type { Versions } from "./Versions.ts"

/** Settings of a client's transport. Every one has a default. */
export interface Options {
  /** Whether plain text may leave this machine, where there is no `tls`. Default: false. */
  readonly insecure?: boolean
  /** Larger frames end the connection. Default: 16 MiB. */
  readonly maxFrameBytes?: number
  /** A connection on which nothing was heard for so long asks for a sign of life. Default: 500. */
  readonly keepAliveMillis?: number
  /** A node from which nothing was heard for so long is taken for dead. Default: 2,000. */
  readonly silenceMillis?: number
}

interface Settings extends Required<Omit<Options, "insecure">> {
  readonly security: Security
}

const settingsOf = (options: Options, security: Security): Settings => ({
  maxFrameBytes: options.maxFrameBytes ?? 16 * 1024 * 1024,
  keepAliveMillis: options.keepAliveMillis ?? 500,
  silenceMillis: options.silenceMillis ?? 2000,
  security
})

/** The transport in plain text. It holds nothing; each connection belongs to the scope that it was made in. */
export const layer = (options: Options = {}): Layer.Layer<RaftClientTransport> =>
  Layer.succeed(RaftClientTransport, make(options))

/** The transport with certificates on both ends, as the nodes have them (docs/guides/tls.md). */
export const layerTls = (
  options: Omit<Options, "insecure"> & { readonly tls: TlsFiles }
): Layer.Layer<RaftClientTransport, CredentialsInvalid> =>
  Layer.effect(
    RaftClientTransport,
    Effect.map(ClientSockets.securityOf(options), (security) => make(options, security))
  )

export const make = (
  options: Options = {},
  security: Security = { _tag: "Plain", anywhere: options.insecure === true }
): RaftClientTransport["Service"] => {
  const settings = settingsOf(options, security)
  return RaftClientTransport.of({
    problemWith: (endpoint) => {
      const target = Address.parse(endpoint)
      return typeof target === "string" ? target : refusalOf(security, target.host)
    },
    connect: (options) => connect(options, settings)
  })
}

const connect: (
  options: ConnectOptions,
  settings: Settings
) => Effect.Effect<ClientConnection, ConnectFailed, Scope.Scope> = Effect.fnUntraced(
  function* (options, settings) {
    const { endpoint } = options
    const failed = (detail: string, isRefusal: boolean) => new ConnectFailed({ endpoint, detail, isRefusal })
    const target = Address.parse(endpoint)
    if (typeof target === "string") return yield* failed(target, false)
    const { proof, socket: raw } = yield* ClientSockets.dial(target, settings.security).pipe(
      Effect.mapError(({ detail }) => failed(detail, false))
    )
    if (proof.distrust !== undefined) return yield* failed(proof.distrust, false)
    const call = new Calling(options)
    const socket = new ParcelSocket.ParcelSocket(raw, {
      frameType: ClientHandshake.frameTypes.Requests,
      maxHandshakeBytes: ClientHandshake.maxHandshakeBytes,
      onLost: (detail) => call.lost(detail)
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.close()))
    const welcome = yield* call.introduce(socket)
    const refuted = proof.refutes(welcome.nodeId)
    if (refuted !== undefined) return yield* failed(refuted, false)
    const portions = new QueryPortions()
    socket.read(answersTo(options, socket, portions), settings.maxFrameBytes)
    yield* watch(socket, settings).pipe(
      Effect.annotateLogs({ fiber: `client connection with ${endpoint}` }),
      Effect.forkScoped
    )
    const send = (request: ClientRequest): boolean => {
      if (!socket.post(ClientCodec.requestToParcel(request))) return false
      if (portions.onQueued(request, socket.queued)) socket.flush()
      return true
    }
    return { welcome, send }
  }
)

/** The handshake, and who hears of the end of the connection: before it, who connects; after it, the handler. */
class Calling {
  private readonly options: ConnectOptions
  private refuse: ((error: ConnectFailed) => void) | undefined

  constructor(options: ConnectOptions) {
    this.options = options
  }

  lost(detail: string): void {
    const refuse = this.refuse
    if (refuse === undefined) return this.options.handler.onLost(detail)
    refuse(this.failed(detail, false))
  }

  /** Says who is wanted, and waits for the welcome. */
  introduce(socket: ParcelSocket.ParcelSocket): Effect.Effect<Welcome, ConnectFailed> {
    return Effect.callback((resume) => {
      this.refuse = (error) => resume(Effect.fail(error))
      socket.say((writer) => {
        writer.raw(ClientHandshake.preamble())
        ClientHandshake.encodeHello(writer, this.options)
      })
      let theirs: Versions | undefined
      socket.read((reader) => {
        theirs ??= ClientHandshake.takePreamble(reader)
        if (theirs === undefined || !reader.next()) return
        const answer = ClientHandshake.decodeAnswer(reader)
        if (answer._tag === "Welcome") {
          this.refuse = undefined
          resume(Effect.succeed(answer.welcome))
        } else {
          resume(Effect.fail(this.failed(answer.reason, true)))
        }
      })
    })
  }

  private failed(detail: string, isRefusal: boolean): ConnectFailed {
    return new ConnectFailed({ endpoint: this.options.endpoint, detail, isRefusal })
  }
}

const answersTo =
  ({ handler }: ConnectOptions, socket: ParcelSocket.ParcelSocket, portions: QueryPortions) =>
  (reader: FrameReader) => {
    while (reader.next()) {
      switch (reader.type) {
        case ClientHandshake.frameTypes.Answers: {
          const answers: Array<ClientAnswer> = []
          Parcel.decode(reader, (id, kind, bytes) => answers.push(ClientCodec.answerOf(id, kind, bytes)))
          reader.keep()
          portions.onAnswered(answers.length)
          handler.onAnswers(answers)
          break
        }
        case ClientHandshake.frameTypes.Ping:
          socket.say(ParcelSocket.pong)
          break
        case ClientHandshake.frameTypes.Pong:
          break
        default:
          throw new MalformedFrame({ detail: `a frame of type ${reader.type}, which there is not` })
      }
    }
  }

/** Looks up once per `keepAliveMillis`, instead of at the clock for every answer. */
const watch = (
  socket: ParcelSocket.ParcelSocket,
  { keepAliveMillis, silenceMillis }: Settings
): Effect.Effect<never> => {
  let silentMillis = 0
  const look = Effect.sync(() => {
    silentMillis = socket.heard ? 0 : silentMillis + keepAliveMillis
    socket.heard = false
    if (silentMillis >= silenceMillis) socket.lose(`nothing was heard for ${silentMillis} ms`)
    else if (silentMillis > 0) socket.say(ParcelSocket.ping)
  })
  return Effect.forever(Effect.andThen(Effect.sleep(keepAliveMillis), look))
}
