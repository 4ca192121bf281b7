/**
 * What becomes of connections: peers that misbehave, fall silent, connect twice, restart, or are not there.
 */
import { assert, describe, it } from "@effect/vitest"
import { Term } from "@effect-raft/core/Term"
import * as Handshake from "@effect-raft/transport-tcp/Handshake"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import {
  a,
  b,
  message,
  openNode,
  captureLog,
  logged,
  dialRaw,
  serveRaw,
  hello,
  quietly,
  anyPort,
  frameOf,
  accept
} from "./support/Peers.ts"
import type { RawPeer } from "./support/Peers.ts"

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
      // Not at once: mostly it is dead, and there is something better to do.
      yield* TestClock.adjust(49)
      assert.strictEqual(Queue.sizeUnsafe(dialled), 0)
      yield* TestClock.adjust(1)
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
