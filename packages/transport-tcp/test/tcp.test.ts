/**
 * What only TCP can go through: strangers at the port, peers that stop answering, ports in use, and
 * whether anything is left when it is over. The other end is a raw socket where it has to misbehave.
 */
import { assert, describe, it } from "@effect/vitest"
import { LogIndex } from "@effect-raft/core/LogIndex"
import { ClusterId, defaultGroup, GroupId, NodeId } from "@effect-raft/core/NodeId"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import type { EndpointOptions } from "@effect-raft/core/RaftTransport"
import { Term } from "@effect-raft/core/Term"
import { FrameWriter } from "@effect-raft/transport-tcp/FrameWriter"
import * as Handshake from "@effect-raft/transport-tcp/Handshake"
import * as MessageCodec from "@effect-raft/transport-tcp/MessageCodec"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Net from "node:net"

const a = NodeId.make("a")
const b = NodeId.make("b")

const message = (round: number): RaftMessage => ({
  _tag: "AppendAccepted",
  term: Term.make(1),
  matchIndex: LogIndex.make(0),
  round
})

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

/** Opens a node and gathers what its handler is told. */
const openNode = Effect.fnUntraced(function* (
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
const captureLog = Effect.map(Queue.dropping<string>(1000), (lines) => ({
  lines,
  layer: Logger.layer([
    Logger.make(({ logLevel, message }) => Queue.offerUnsafe(lines, `${logLevel}: ${String(message)}`))
  ])
}))

/** Waits for a log line that matches. */
const logged = (lines: Queue.Queue<string>, pattern: RegExp) =>
  Effect.repeat(Queue.take(lines), { until: (line) => pattern.test(line) })

interface RawPeer {
  readonly socket: Net.Socket
  /** All bytes that came, once the other end has closed. */
  readonly closed: Effect.Effect<Buffer>
}

const watch = (socket: Net.Socket): RawPeer => {
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
const dialRaw = (address: string, bytes: Uint8Array) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = Net.connect({ host: "127.0.0.1", port: portOf(address) })
      socket.write(bytes)
      return watch(socket)
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** A raw server; `onConnection` gets every socket. */
const serveRaw = (onConnection: (peer: RawPeer) => void) =>
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

const hello = (changed: Partial<Handshake.Hello> = {}, version?: number): Buffer => {
  const writer = new FrameWriter()
  writer.raw(Handshake.preamble(version))
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

const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

const anyPort = { listen: "127.0.0.1:0" } as const

describe("strangers at the port", () => {
  const cases = [
    {
      name: "random bytes",
      bytes: Buffer.from("\x01\x02\xff junk"),
      log: /Warn: Closed a connection from 127\.0\.0\.1: .*first bytes are "\?+ junk"/
    },
    {
      name: "an HTTP request",
      bytes: Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      log: /Warn: .*first bytes are "GET \/ HTTP\/1.1/
    },
    {
      name: "a hello that is too large",
      bytes: Buffer.concat([Handshake.preamble(), Buffer.from([0, 0, 0, 1, 64, 0, 0, 0])]),
      log: /Warn: .*16777216 bytes; at most 16384/
    },
    {
      name: "a message before the hello",
      bytes: Buffer.concat([Handshake.preamble(), Buffer.from([0, 0, 0, 0, 5, 0, 0, 0])]),
      log: /Warn: .*type 5 during the handshake/
    },
    {
      name: "another cluster",
      bytes: hello({ clusterId: ClusterId.make("x") }),
      log: /Warn: Refused.*node a belongs to cluster test, node b to cluster x/,
      answer: /belongs to cluster test, node b to cluster x/
    },
    {
      name: "another group",
      bytes: hello({ groupId: GroupId.make("x") }),
      log: /Warn: Refused.*group default, node b to group x/,
      answer: /group default/
    },
    {
      name: "another node meant",
      bytes: hello({ to: NodeId.make("z") }),
      log: /Warn: Refused.*expects node z .* this is node a/,
      answer: /this is node a/
    },
    {
      name: "our own name",
      bytes: hello({ from: a }),
      log: /Warn: Refused.*two nodes call themselves a/,
      answer: /two nodes/
    },
    {
      name: "another version",
      bytes: hello({}, 9),
      log: /Warn: Refused.*the caller speaks 9/,
      answer: /version 1 is spoken here/
    }
  ]
  for (const { answer, bytes, log, name } of cases) {
    it.live(`${name}: closed, logged in one line, and the node goes on`, () =>
      Effect.gen(function* () {
        const { layer, lines } = yield* captureLog
        yield* Effect.gen(function* () {
          const site = yield* TcpTransport.make(anyPort)
          const node = yield* openNode(site, a, {})
          const said = yield* Effect.flatMap(dialRaw(site.address, bytes), ({ closed }) => closed)
          if (answer !== undefined) assert.match(said.toString("latin1"), answer)
          assert.match(yield* Queue.take(lines), log)

          const peer = yield* dialRaw(site.address, Buffer.concat([hello(), frameOf(message(5))]))
          assert.deepStrictEqual(yield* Queue.take(node.received), message(5))
          peer.socket.destroy()
          assert.strictEqual(yield* Queue.take(node.lost), b)
        }).pipe(Effect.provide(layer))
      })
    )
  }

  it.live("a node that is not among the peers is refused where that is asked for", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      const site = yield* TcpTransport.make({ ...anyPort, strangers: "refuse" }).pipe(Effect.provide(layer))
      yield* openNode(site, a, {})
      yield* dialRaw(site.address, hello())
      assert.match(yield* Queue.take(lines), /Refused.*node b is not among the peers of node a/)
    })
  )

  it.live("a caller that comes before the node is open tries again, and neither end warns", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      yield* Effect.gen(function* () {
        const early = yield* TcpTransport.make({ ...anyPort, redialMinMillis: 1, redialMaxMillis: 2 })
        const site = yield* TcpTransport.make(anyPort)
        yield* openNode(early, b, { a: site.address })
        yield* logged(lines, /Debug: Closed a connection .*: no node is open at this address yet/)
        yield* logged(lines, /Debug: No connection with a at .*closed/)
        const rest = yield* Queue.clear(lines)
        assert.deepStrictEqual(
          rest.filter((line) => !line.startsWith("Debug")),
          []
        )
        const node = yield* openNode(site, a, { b: early.address })
        const peer = yield* dialRaw(site.address, Buffer.concat([hello(), frameOf(message(5))]))
        assert.deepStrictEqual(yield* Queue.take(node.received), message(5))
        peer.socket.destroy()
      }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "Debug"))
    })
  )

  it.live("the same reason is logged once, however often it comes, and both ends log it", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      yield* Effect.gen(function* () {
        const site = yield* TcpTransport.make(anyPort)
        yield* openNode(site, a, {})
        const other = yield* TcpTransport.make({ ...anyPort, redialMinMillis: 1, redialMaxMillis: 2 })
        yield* openNode(other, b, { a: site.address }, { clusterId: ClusterId.make("x") })
        yield* logged(lines, /Warn: Refused a connection from 127/)
        yield* logged(lines, /Warn: a at 127\.0\.0\.1:\d+ refuses this node: node a belongs to cluster test/)
        // By the time 20 garbage connections are closed, the link above has dialled many times as well.
        for (let round = 0; round < 20; round++) {
          yield* Effect.flatMap(dialRaw(site.address, Buffer.from("junk")), ({ closed }) => closed)
        }
        const rest = yield* Queue.clear(lines)
        assert.strictEqual(rest.filter((line) => line.includes("junk")).length, 1)
        assert.strictEqual(rest.length, 1, rest.join("\n"))
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("a caller that says nothing is let go after the handshake timeout", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      yield* Effect.gen(function* () {
        const site = yield* TcpTransport.make({ ...anyPort, maxConnections: 1 })
        yield* openNode(site, a, {})
        const silent = yield* dialRaw(site.address, Handshake.preamble())
        // The second is one too many, and its end says that the first was accepted.
        yield* Effect.flatMap(dialRaw(site.address, Buffer.from("x")), ({ closed }) => closed)
        assert.match(yield* Queue.take(lines), /1 are open already/)
        yield* TestClock.adjust(5000)
        yield* silent.closed
        assert.match(yield* Queue.take(lines), /did not say who it is in 5000 ms/)
      }).pipe(Effect.provide(layer))
    })
  )
})

describe("peers that misbehave", () => {
  it.live("a frame beyond the limit ends the connection, and the reason is logged", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      yield* Effect.gen(function* () {
        const site = yield* TcpTransport.make({ ...anyPort, maxFrameBytes: 1000 })
        const node = yield* openNode(site, a, {})
        const frame = Buffer.from([0xe9, 3, 0, 0, 5, 0, 0, 0])
        const peer = yield* dialRaw(site.address, Buffer.concat([hello(), frame]))
        yield* peer.closed
        assert.strictEqual(yield* Queue.take(node.lost), b)
        yield* logged(lines, /Lost the connection with b: it sent a frame of 1001 bytes; at most 1000/)
      }).pipe(Effect.provide(layer))
    })
  )

  it.live("a message beyond the limit is not sent", () =>
    Effect.gen(function* () {
      const site = yield* TcpTransport.make({ ...anyPort, maxFrameBytes: 1000 })
      const node = yield* openNode(site, a, { b: "127.0.0.1:1" })
      const commands = [new Uint8Array(1000)]
      assert.isFalse(
        node.send(b, {
          _tag: "ForwardProposals",
          term: Term.make(1),
          requestIds: [1],
          kinds: ["Command"],
          commands
        })
      )
      assert.isTrue(node.send(b, message(1)))
    })
  )

  it.effect("a peer that falls silent is dropped, and dialled again", () =>
    Effect.gen(function* () {
      const dialled = yield* Queue.dropping<RawPeer>(10)
      const address = yield* serveRaw((peer) => Queue.offerUnsafe(dialled, peer))
      const site = yield* TcpTransport.make(anyPort)
      const node = yield* openNode(site, a, { b: address })
      const peer = yield* Queue.take(dialled)
      peer.socket.write(Buffer.concat([Handshake.preamble(), accept({ zone: "1" })]))
      while (node.attributesOf(b)["zone"] === undefined) yield* Effect.yieldNow
      // Four looks without a word from it, and the fifth is one too many.
      yield* TestClock.adjust(4999)
      assert.strictEqual(Queue.sizeUnsafe(node.lost), 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Queue.take(node.lost), b)
      const said = yield* peer.closed
      assert.isAtLeast(said.byteLength, hello().byteLength + 4 * 8, "it was sent signs of life")
      yield* Queue.take(dialled)
    })
  )

  it.effect("a server that accepts and never answers is given up, and dialled again", () =>
    Effect.gen(function* () {
      const dialled = yield* Queue.dropping<RawPeer>(10)
      const address = yield* serveRaw((peer) => Queue.offerUnsafe(dialled, peer))
      const site = yield* TcpTransport.make(anyPort)
      const node = yield* openNode(site, a, { b: address })
      const peer = yield* Queue.take(dialled)
      // The hello has come: the node is past dialling and waits for the answer.
      yield* Effect.callback<void>((resume) => {
        if (peer.socket.bytesRead > 0) resume(Effect.void)
        else peer.socket.once("data", () => resume(Effect.void))
      })
      yield* TestClock.adjust(5000)
      yield* peer.closed
      yield* TestClock.adjust(100)
      yield* Queue.take(dialled)
      assert.strictEqual(Queue.sizeUnsafe(node.lost), 0, "a peer that was never connected cannot be lost")
    })
  )

  it.live("another program at a peer's address is named as such", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      const address = yield* serveRaw((peer) => peer.socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const site = yield* TcpTransport.make(anyPort)
      yield* openNode(site, a, { b: address }).pipe(Effect.provide(layer))
      yield* logged(lines, /Warn: Whoever answers for b at 127.* is no peer: .*"HTTP\/1.1 400/)
    })
  )
})

describe("two connections with one peer", () => {
  it.live("the first carries the messages, and the spare takes over when it breaks", () =>
    Effect.gen(function* () {
      const dialled = yield* Queue.dropping<RawPeer>(10)
      const address = yield* serveRaw((peer) => {
        peer.socket.write(Buffer.concat([Handshake.preamble(), accept({ first: "yes" })]))
        Queue.offerUnsafe(dialled, peer)
      })
      const site = yield* TcpTransport.make(anyPort)
      const node = yield* openNode(site, a, { b: address })
      const first = yield* Queue.take(dialled)
      while (node.attributesOf(b)["first"] === undefined) yield* Effect.yieldNow
      const spare = yield* dialRaw(site.address, hello({ attributes: { spare: "yes" } }))
      while (node.attributesOf(b)["spare"] === undefined) yield* Effect.yieldNow

      node.send(b, message(1))
      const beforeBytes = hello().byteLength
      while (first.socket.bytesRead === beforeBytes) yield* Effect.yieldNow
      first.socket.destroy()
      assert.strictEqual(yield* Queue.take(node.lost), b)
      node.send(b, message(2))
      const answerBytes = Handshake.preambleBytes + accept({}).byteLength
      while (spare.socket.bytesRead < answerBytes + frameOf(message(2)).byteLength) yield* Effect.yieldNow
      spare.socket.destroy()
      assert.include((yield* first.closed).toString("hex"), frameOf(message(1)).toString("hex"))
      assert.include((yield* spare.closed).toString("hex"), frameOf(message(2)).toString("hex"))
    }).pipe(quietly)
  )

  it.live("a peer that is removed loses the connection that it dialled, and no alarm is raised", () =>
    Effect.gen(function* () {
      const site = yield* TcpTransport.make(anyPort)
      const node = yield* openNode(site, a, { b: "127.0.0.1:1" })
      const peer = yield* dialRaw(site.address, Buffer.concat([hello(), frameOf(message(1))]))
      yield* Queue.take(node.received)
      yield* node.setPeers(new Map())
      assert.isFalse(node.send(b, message(2)))
      yield* peer.closed
      assert.strictEqual(Queue.sizeUnsafe(node.lost), 0)
    })
  )
})

describe("a peer's restart", () => {
  it.live("is noticed at once, and messages flow again afterwards", () =>
    Effect.gen(function* () {
      const site = yield* TcpTransport.make(anyPort)
      const scope = yield* Scope.make()
      const first = yield* TcpTransport.make(anyPort).pipe(Scope.provide(scope))
      const node = yield* openNode(site, a, { b: first.address })
      const before = yield* openNode(first, b, { a: site.address }).pipe(Scope.provide(scope))
      node.send(b, message(1))
      yield* Queue.take(before.received)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Queue.take(node.lost), b)

      const second = yield* TcpTransport.make({ listen: first.address })
      const after = yield* openNode(second, b, { a: site.address })
      while (Queue.sizeUnsafe(after.received) === 0) {
        node.send(b, message(2))
        yield* Effect.sleep(1)
      }
      after.send(a, message(3))
      assert.deepStrictEqual(yield* Queue.take(node.received), message(3))
    }).pipe(quietly)
  )

  it.live("a dial that is refused where a peer was connected before is a second report", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const address = yield* serveRaw(({ socket }) => {
        socket.write(Buffer.concat([Handshake.preamble(), accept({})]))
        socket.once("data", () => socket.end())
      }).pipe(Scope.provide(scope))
      const site = yield* TcpTransport.make(anyPort)
      const node = yield* openNode(site, a, { b: address })
      assert.strictEqual(yield* Queue.take(node.lost), b)
      yield* Scope.close(scope, Exit.void)
      yield* Queue.clear(node.lost)
      assert.strictEqual(yield* Queue.take(node.lost), b)
    }).pipe(quietly)
  )
})

describe("a peer that is not there", () => {
  it.live("is no news at first, and worth a warning that says why when it stays away", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      yield* Effect.gen(function* () {
        const gone = yield* Effect.scoped(Effect.map(TcpTransport.make(anyPort), ({ address }) => address))
        const impatient = { redialMinMillis: 1, redialMaxMillis: 2, silenceMillis: 50 }
        const site = yield* TcpTransport.make({ ...anyPort, ...impatient })
        yield* openNode(site, a, { b: gone })
        assert.match(yield* Queue.take(lines), /^Debug: No connection with b/)
        yield* logged(lines, /^Warn: No connection with b at 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
      }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "Debug"))
    })
  )
})

describe("addresses", () => {
  it.live("a port in use is told in words", () =>
    Effect.gen(function* () {
      const first = yield* TcpTransport.make(anyPort)
      const error = yield* Effect.flip(TcpTransport.make({ listen: first.address }))
      assert.strictEqual(error.reason._tag, "ListenFailed")
      assert.include(error.message, `Cannot listen for peers at ${first.address}: the address is in use`)
    })
  )

  it.live("addresses that cannot be read are told in words", () =>
    Effect.gen(function* () {
      const listen = yield* Effect.flip(TcpTransport.make({ listen: "7001" }))
      assert.match(listen.message, /Cannot listen for peers at 7001: it is not of the form HOST:PORT/)
      const site = yield* TcpTransport.make(anyPort)
      const peer = yield* Effect.flip(openNode(site, a, { b: "nowhere" }))
      assert.match(peer.message, /The address "nowhere" of b is no good: it is not of the form HOST:PORT/)
      const node = yield* openNode(site, a, {})
      const changed = yield* Effect.flip(node.setPeers(new Map([[b, "b:99999"]])))
      assert.match(changed.message, /the port 99999 is larger/)
    })
  )

  it.live("a host name and IPv6 serve as well", () =>
    Effect.gen(function* () {
      for (const listen of ["localhost:0", "[::1]:0"]) {
        const one = yield* TcpTransport.make({ listen })
        const other = yield* TcpTransport.make({ listen })
        assert.isAbove(portOf(one.address), 0)
        const node = yield* openNode(one, a, {})
        const peer = yield* openNode(other, b, { a: one.address })
        peer.send(a, message(1))
        assert.deepStrictEqual(yield* Queue.take(node.received), message(1))
      }
    })
  )
})

describe("the end", () => {
  /** Sockets and servers of this process that are not closed yet. */
  const openHandles = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"))

  const noHandles = Effect.gen(function* () {
    while (openHandles().length > 0) yield* Effect.yieldNow
  }).pipe(Effect.timeout("5 seconds"))

  it.live("comes at once and leaves nothing, even with peers that never read", () =>
    Effect.gen(function* () {
      yield* noHandles
      yield* Effect.gen(function* () {
        const stuck = yield* serveRaw(({ socket }) => socket.pause())
        const listen = yield* Effect.gen(function* () {
          const one = yield* TcpTransport.make(anyPort)
          const other = yield* TcpTransport.make(anyPort)
          const peers = { a: one.address, b: other.address, c: stuck, d: "127.0.0.1:1" }
          const node = yield* openNode(one, a, peers)
          const peer = yield* openNode(other, b, peers)
          node.send(b, message(1))
          yield* Queue.take(peer.received)
          return one.address
        }).pipe(Effect.scoped)

        const site = yield* Scope.make()
        const node = yield* Effect.flatMap(TcpTransport.make({ listen }), (one) => openNode(one, a, {})).pipe(
          Scope.provide(site)
        )
        const reader = yield* dialRaw(listen, hello())
        reader.socket.pause()
        while (!node.send(b, large)) yield* Effect.yieldNow
        while (node.send(b, large)) yield* Effect.yieldNow
        yield* Scope.close(site, Exit.void)
      }).pipe(Effect.scoped)
      yield* noHandles
    })
  )

  it.live("is silent: what came in the same packet as the cause is not handed over any more", () =>
    Effect.gen(function* () {
      const site = yield* TcpTransport.make(anyPort)
      const scope = yield* Scope.make()
      const received: Array<RaftMessage> = []
      const handler = {
        onMessage: (_from: NodeId, message: RaftMessage) => {
          received.push(message)
          Effect.runFork(Scope.close(scope, Exit.void))
        },
        onPeerLost: () => {}
      }
      yield* openNode(site, a, {}, { handler }).pipe(Scope.provide(scope))
      const peer = yield* dialRaw(
        site.address,
        Buffer.concat([hello(), frameOf(message(1)), frameOf(message(2))])
      )
      yield* peer.closed
      assert.deepStrictEqual(received, [message(1)])
    })
  )
})

/** Eight megabytes, more than a socket that is not read takes. */
const large: RaftMessage = {
  _tag: "ForwardProposals",
  term: Term.make(1),
  requestIds: [1],
  kinds: ["Command"],
  commands: [new Uint8Array(8 * 1024 * 1024)]
}

const frameOf = (message: RaftMessage): Buffer => {
  const writer = new FrameWriter()
  MessageCodec.encode(writer, message)
  return Buffer.concat(writer.take())
}

const accept = (attributes: Handshake.Attributes): Buffer => {
  const writer = new FrameWriter()
  Handshake.encodeAccept(writer, attributes)
  return Buffer.concat(writer.take())
}
