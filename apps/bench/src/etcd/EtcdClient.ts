/**
 * A client of etcd that does not hold etcd back: gRPC over `node:http2`, several connections, as many
 * calls on each as are asked for, and no more work per call than the protocol needs.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as NodeHttp2 from "node:http2"
import * as Protobuf from "./Protobuf.ts"

/** A call that etcd refused, or that the connection lost. */
export class EtcdFailed extends Schema.TaggedError<EtcdFailed>()("EtcdFailed", {
  message: Schema.String
}) {}

export interface EtcdStatus {
  readonly memberId: bigint
  /** 0 while there is none. */
  readonly leaderId: bigint
}

export interface EtcdClient {
  readonly put: (key: string, value: Uint8Array) => Effect.Effect<void, EtcdFailed>
  /** The number of values found: 0 or 1. `serializable` reads what the node has, without a quorum. */
  readonly get: (
    key: string,
    options: { readonly serializable: boolean }
  ) => Effect.Effect<number, EtcdFailed>
  readonly status: Effect.Effect<EtcdStatus, EtcdFailed>
}

export interface EtcdClientOptions {
  /** "127.0.0.1:2379". The first is used until it fails, then the next. */
  readonly endpoints: ReadonlyArray<string>
  readonly connections: number
  /** A call that takes longer fails. */
  readonly timeoutMillis: number
}

const framePrefixBytes = 5
const windowBytes = 4 * 1024 * 1024
/** The number of values in a `RangeResponse`. */
const countField = 4

export const make = (options: EtcdClientOptions): Effect.Effect<EtcdClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const pool = new Pool(options)
    yield* Effect.addFinalizer(() => Effect.sync(() => pool.close()))
    const call = (path: string, message: Uint8Array) => unary(pool, path, message)
    return {
      put: (key, value) =>
        Effect.asVoid(
          call(
            "/etcdserverpb.KV/Put",
            Protobuf.encode([
              [1, key],
              [2, value]
            ])
          )
        ),
      get: (key, { serializable }) =>
        Effect.map(
          call(
            "/etcdserverpb.KV/Range",
            Protobuf.encode(
              serializable
                ? [
                    [1, key],
                    [7, 1]
                  ]
                : [[1, key]]
            )
          ),
          (reply) => Number(Protobuf.decode(reply).get(countField) ?? 0)
        ),
      status: Effect.map(call("/etcdserverpb.Maintenance/Status", new Uint8Array(0)), toStatus)
    }
  })

const toStatus = (reply: Uint8Array): EtcdStatus => {
  const fields = Protobuf.decode(reply)
  const header = fields.get(1)
  const leaderId = fields.get(4)
  const memberId = header instanceof Uint8Array ? Protobuf.decode(header).get(2) : undefined
  return {
    memberId: typeof memberId === "bigint" ? memberId : 0n,
    leaderId: typeof leaderId === "bigint" ? leaderId : 0n
  }
}

/** The connections to one endpoint; when one breaks, all of them move on to the next endpoint. */
class Pool {
  readonly timeoutMillis: number
  private readonly options: EtcdClientOptions
  private sessions: Array<NodeHttp2.ClientHttp2Session> = []
  private next = 0
  private endpoint = 0

  constructor(options: EtcdClientOptions) {
    this.options = options
    this.timeoutMillis = options.timeoutMillis
  }

  session(): NodeHttp2.ClientHttp2Session {
    if (this.sessions.length === 0) this.connect()
    return this.sessions[this.next++ % this.sessions.length]!
  }

  close(): void {
    for (const session of this.sessions) session.destroy()
    this.sessions = []
  }

  /** Goes on to the next endpoint, unless another call has done so since `session` was taken. */
  abandon(session: NodeHttp2.ClientHttp2Session): void {
    if (!this.sessions.includes(session)) return
    this.close()
    this.endpoint += 1
  }

  private connect(): void {
    const { connections, endpoints } = this.options
    const url = `http://${endpoints[this.endpoint % endpoints.length]}`
    this.sessions = Array.from({ length: connections }, () => {
      const session = NodeHttp2.connect(url, { settings: { initialWindowSize: windowBytes } })
      session.on("connect", () => session.setLocalWindowSize(windowBytes))
      session.on("error", () => this.abandon(session))
      session.on("close", () => this.abandon(session))
      return session
    })
  }
}

/** One call: a message there, a message back. */
const unary = (pool: Pool, path: string, message: Uint8Array): Effect.Effect<Uint8Array, EtcdFailed> =>
  Effect.callback((resume) => {
    const session = pool.session()
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers"
    })
    const chunks: Array<Buffer> = []
    let trailers: NodeHttp2.IncomingHttpHeaders = {}
    const fail = (problem: string) => resume(Effect.fail(new EtcdFailed({ message: `${path}: ${problem}` })))
    const timer = setTimeout(() => {
      fail(`no answer within ${pool.timeoutMillis} ms`)
      stream.close(NodeHttp2.constants.NGHTTP2_CANCEL)
      pool.abandon(session)
    }, pool.timeoutMillis)
    // An answer without a body has its status among the headers.
    stream.on("response", (headers) => (trailers = headers))
    stream.on("trailers", (headers) => (trailers = headers))
    stream.on("data", (chunk: Buffer) => chunks.push(chunk))
    stream.on("error", (error) => fail(error.message))
    stream.on("close", () => {
      clearTimeout(timer)
      const status = trailers["grpc-status"]
      if (status !== "0") return fail(`status ${String(status)}: ${String(trailers["grpc-message"])}`)
      resume(Effect.succeed(bodyOf(chunks)))
    })
    stream.end(frame(message))
  })

/** A message on the wire: not compressed, its length, itself. */
const frame = (message: Uint8Array): Uint8Array => {
  const framed = new Uint8Array(framePrefixBytes + message.byteLength)
  new DataView(framed.buffer).setUint32(1, message.byteLength)
  framed.set(message, framePrefixBytes)
  return framed
}

const bodyOf = (chunks: ReadonlyArray<Buffer>): Uint8Array =>
  (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).subarray(framePrefixBytes)
