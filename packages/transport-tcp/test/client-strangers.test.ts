/**
 * Who calls at a node's port for clients and is none, who answers a client and is no node, and whether
 * anything is left when it is over. The other end is a raw socket where it has to misbehave.
 */
import { assert, describe, it } from "@effect/vitest"
import { ClientEntrance } from "@effect-raft/core/ClientEntrance"
import { ClusterId, defaultGroup } from "@effect-raft/core/NodeId"
import * as ClientHandshake from "@effect-raft/transport-tcp/ClientHandshake"
import { FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as TcpClientServer from "@effect-raft/transport-tcp/TcpClientServer"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Net from "node:net"
import { entrance, welcome } from "./support/SilentNode.ts"

const serve = (options: Partial<TcpClientServer.Options> = {}) =>
  TcpClientServer.make({ listen: "127.0.0.1:0", ...options }).pipe(
    Effect.provideService(ClientEntrance, entrance)
  )

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

/** Sends bytes as they are, and waits until the other end has closed; answers with what came. */
const send = (address: string, bytes: Uint8Array | string): Effect.Effect<Buffer> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    const socket = Net.connect({ host: "127.0.0.1", port: portOf(address) })
    socket.on("error", () => socket.destroy())
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks))))
    socket.write(bytes)
    return Effect.sync(() => socket.destroy())
  })

const written = (encode: (writer: FrameWriter) => void): Uint8Array => {
  const writer = new FrameWriter()
  encode(writer)
  return Buffer.concat(writer.take())
}

const hello = written((writer) => {
  writer.raw(ClientHandshake.preamble())
  ClientHandshake.encodeHello(writer, { clusterId: ClusterId.make("test"), groupId: defaultGroup })
})

/** Runs with the log in a queue instead of on the screen. */
const logging = <A, E, R>(body: (lines: Queue.Queue<string>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines = yield* Queue.unbounded<string>()
    const logger = Logger.make(({ logLevel, message }) => {
      Queue.offerUnsafe(lines, `${logLevel}: ${String(message)}`)
    })
    return yield* body(lines).pipe(Effect.provide(Logger.layer([logger])))
  })

const logged = (lines: Queue.Queue<string>, pattern: RegExp) =>
  Effect.repeat(Queue.take(lines), { until: (line) => pattern.test(line) })

const strangers: ReadonlyArray<readonly [who: string, bytes: Uint8Array | string, line: RegExp]> = [
  ["a browser", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", /Closed.*"GET \/ HTTP\/1\.1.*not the client protocol/],
  ["a peer", Uint8Array.of(0x45, 0x52, 0x41, 0x46, 0x54, 0, 1, 0), /Closed.*not the client protocol/],
  [
    "a client that sends a frame of the traffic first",
    Buffer.concat([ClientHandshake.preamble(), written((writer) => writer.begin(99, 0))]),
    /Closed.*a frame of type 99 during the handshake/
  ],
  [
    "a client that wants to send too much",
    Buffer.concat([hello, written((writer) => writer.begin(101, 200_000_000))]),
    /Closed.*a frame of 200000000 bytes; at most 16777216 are accepted/
  ],
  [
    "a client whose requests are damaged",
    Buffer.concat([hello, written((writer) => (writer.begin(101, 8), writer.natural(1)))]),
    /Closed.*checksum is wrong/
  ],
  [
    "a client that sends frames that there are not",
    Buffer.concat([hello, written((writer) => writer.begin(200, 0))]),
    /Closed.*a frame of type 200, which there is not/
  ],
  [
    "a client of the protocol of tomorrow",
    ClientHandshake.preamble({ oldest: 7, newest: 9 }),
    /version 1 is spoken here, the client speaks versions 7 to 9/
  ]
]

describe("strangers at the port", () => {
  for (const [who, bytes, line] of strangers) {
    it.live(`${who} is sent away, in one line of the log`, () =>
      logging((lines) =>
        Effect.gen(function* () {
          const address = yield* serve()
          yield* send(address, bytes)
          assert.match(yield* logged(lines, line), /^Warn/)
        })
      )
    )
  }

  it.live("a client of another version is told which are spoken", () =>
    logging(() =>
      Effect.gen(function* () {
        const answer = yield* send(yield* serve(), ClientHandshake.preamble({ oldest: 7, newest: 9 }))
        assert.match(
          answer.toString("latin1"),
          /client protocol version 1 is spoken here, the client speaks versions 7 to 9/
        )
      })
    )
  )

  it.live("one that says nothing is sent away after a while", () =>
    logging((lines) =>
      Effect.gen(function* () {
        yield* send(yield* serve({ handshakeTimeoutMillis: 40 }), "")
        yield* logged(lines, /did not say who it is in 40 ms/)
      })
    )
  )

  it.live("a client that falls silent is taken for gone", () =>
    logging((lines) =>
      Effect.gen(function* () {
        yield* send(yield* serve({ silenceMillis: 40 }), hello)
        yield* logged(lines, /nothing was heard for/)
      })
    )
  )

  it.live("more connections than are allowed are closed", () =>
    logging((lines) =>
      Effect.gen(function* () {
        const address = yield* serve({ maxConnections: 1 })
        yield* Effect.forkScoped(send(address, hello))
        const closed = yield* Effect.forkScoped(Effect.forever(send(address, hello)))
        yield* logged(lines, /1 are open already/)
        assert.isUndefined(closed.pollUnsafe())
      })
    )
  )

  it.live("an address that is taken is named", () =>
    Effect.gen(function* () {
      const address = yield* serve()
      const error = yield* Effect.flip(serve({ listen: address }))
      assert.include(error.message, address)
      assert.match(error.message, /in use/)
    })
  )
})

// --- strange nodes ------------------------------------------------------------------------------------

const listenRaw = (onSocket: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly address: string
      readonly server: Net.Server
      readonly sockets: Set<Net.Socket>
    }>((resume) => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => socket.destroy())
        onSocket(socket)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ address: `127.0.0.1:${port}`, server, sockets }))
      })
    }),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
  )

const connect = (address: string, options: TcpClientTransport.Options = {}) =>
  Effect.gen(function* () {
    const lost = yield* Queue.unbounded<string>()
    const connection = yield* TcpClientTransport.make(options).connect({
      endpoint: address,
      clusterId: welcome.clusterId,
      groupId: welcome.groupId,
      handler: { onAnswers: () => undefined, onLost: (detail) => void Queue.offerUnsafe(lost, detail) }
    })
    return { ...connection, lost: Queue.take(lost) }
  })

const welcomed = written((writer) => {
  writer.raw(ClientHandshake.preamble())
  ClientHandshake.encodeWelcome(writer, 1, welcome)
})

describe("strange nodes", () => {
  it.live("something else that answers is no node", () =>
    Effect.gen(function* () {
      const { address } = yield* listenRaw((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const error = yield* Effect.flip(connect(address))
      assert.match(error.message, /"HTTP\/1\.1 400 Bad Request.*not the client protocol/)
    })
  )

  it.live("a node that hangs up says at least that", () =>
    Effect.gen(function* () {
      const { address } = yield* listenRaw((socket) => socket.destroy())
      const error = yield* Effect.flip(connect(address))
      assert.isFalse(error.isRefusal)
    })
  )

  it.live("a node that is stopped is noticed, though its connection stands", () =>
    Effect.gen(function* () {
      const { address } = yield* listenRaw((socket) => socket.write(welcomed))
      const { lost } = yield* connect(address, { keepAliveMillis: 10, silenceMillis: 40 })
      assert.match(yield* lost, /nothing was heard/)
    })
  )

  it.live("a quiet connection with a live node stands", () =>
    Effect.gen(function* () {
      const { lost } = yield* connect(yield* serve(), { keepAliveMillis: 10, silenceMillis: 200 })
      const outcome = yield* Effect.timeoutOption(lost, 400)
      assert.strictEqual(outcome._tag, "None")
    })
  )

  it.live("nonsense in the traffic ends the connection", () =>
    Effect.gen(function* () {
      const { address } = yield* listenRaw((socket) =>
        socket.write(Buffer.concat([welcomed, Buffer.alloc(64, 0x7f)]))
      )
      const { lost } = yield* connect(address)
      assert.match(yield* lost, /it sent a frame of/)
    })
  )
})
