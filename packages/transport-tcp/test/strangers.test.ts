/**
 * Who comes to the port and is no peer: it is closed or refused, logged in one line, and harms nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import { ClusterId, GroupId, NodeId } from "@effect-raft/core/NodeId"
import * as Handshake from "@effect-raft/transport-tcp/Handshake"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import {
  a,
  b,
  message,
  openNode,
  captureLog,
  logged,
  dialRaw,
  hello,
  anyPort,
  frameOf
} from "./support/Peers.ts"

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
      bytes: hello({}, { oldest: 9, newest: 9 }),
      log: /Warn: Refused.*the other end speaks version 9/,
      answer: /version 3 is spoken here/
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
