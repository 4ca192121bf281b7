/**
 * What the tests of the transport share: nodes that gather what they are told, logs that can be read, and
 * raw sockets for the other end, where it has to misbehave.
 */
import { LogIndex } from "@effect-raft/core/LogIndex"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import type { EndpointOptions } from "@effect-raft/core/RaftTransport"
import { Term } from "@effect-raft/core/Term"
import { FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as Handshake from "@effect-raft/transport-tcp/Handshake"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"
import type * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as Net from "node:net"
import type { Versions } from "../../src/Versions.ts"

export const a = NodeId.make("a")
export const b = NodeId.make("b")

export const message = (round: number): RaftMessage => ({
  _tag: "AppendAccepted",
  term: Term.make(1),
  matchIndex: LogIndex.make(0),
  round
})

export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

/** Opens a node and gathers what its handler is told. */
export const openNode = Effect.fnUntraced(function* (
  { transport }: TcpTransport.TcpTransport,
  nodeId: NodeId,
  peers: Readonly<Record<string, string>>,
  options: Partial<EndpointOptions> = {}
) {
  const received = yield* Queue.dropping<RaftMessage>(1000)
  const lost = yield* Queue.dropping<NodeId>(1000)
  const endpoint = yield* transport.open({
    clusterId: ClusterId.make("test"),
    groupId: defaultGroup,
    nodeId,
    peers: new Map(Object.entries(peers).map(([id, address]) => [NodeId.make(id), address])),
    handler: {
      onMessage: (_from, message) => Queue.offerUnsafe(received, message),
      onPeerLost: (peer) => Queue.offerUnsafe(lost, peer)
    },
    ...options
  })
  return { ...endpoint, received, lost }
})

/** Keeps what is logged instead of printing it. */
export const captureLog = Effect.map(Queue.dropping<string>(1000), (lines) => ({
  lines,
  layer: Logger.layer([
    Logger.make(({ logLevel, message }) => Queue.offerUnsafe(lines, `${logLevel}: ${String(message)}`))
  ])
}))

/** Waits for a log line that matches. */
export const logged = (lines: Queue.Queue<string>, pattern: RegExp) =>
  Effect.repeat(Queue.take(lines), { until: (line) => pattern.test(line) })

export interface RawPeer {
  readonly socket: Net.Socket
  /** All bytes that came, once the other end has closed. */
  readonly closed: Effect.Effect<Buffer>
}

export const watch = (socket: Net.Socket): RawPeer => {
  const chunks: Array<Buffer> = []
  socket.on("data", (chunk: Buffer) => chunks.push(chunk))
  socket.on("error", () => socket.destroy())
  const closed = Effect.callback<Buffer>((resume) => {
    const done = () => resume(Effect.succeed(Buffer.concat(chunks)))
    if (socket.closed) done()
    else socket.once("close", done)
  })
  return { socket, closed }
}

/** Connects a raw socket to a port and sends `bytes`. */
export const dialRaw = (address: string, bytes: Uint8Array) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = Net.connect({ host: "127.0.0.1", port: portOf(address) })
      socket.write(bytes)
      return watch(socket)
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** A raw server; `onConnection` gets every socket. */
export const serveRaw = (onConnection: (peer: RawPeer) => void) =>
  Effect.gen(function* () {
    const sockets = new Set<Net.Socket>()
    const server = yield* Effect.acquireRelease(
      Effect.callback<Net.Server>((resume) => {
        const server = Net.createServer((socket) => {
          sockets.add(socket)
          onConnection(watch(socket))
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
    const address = server.address()
    return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  })

export const hello = (changed: Partial<Handshake.Hello> = {}, versions?: Versions): Buffer => {
  const writer = new FrameWriter()
  writer.raw(Handshake.preamble(versions))
  Handshake.encodeHello(writer, {
    clusterId: ClusterId.make("test"),
    groupId: defaultGroup,
    from: b,
    to: a,
    attributes: {},
    ...changed
  })
  return Buffer.concat(writer.take())
}

export const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

export const anyPort = { listen: "127.0.0.1:0" } as const

export const frameOf = (message: RaftMessage): Buffer => {
  const writer = new FrameWriter()
  MessageCodec.encode(writer, message)
  return Buffer.concat(writer.take())
}

export const accept = (attributes: Handshake.Attributes): Buffer => {
  const writer = new FrameWriter()
  Handshake.encodeAccept(writer, attributes)
  return Buffer.concat(writer.take())
}
