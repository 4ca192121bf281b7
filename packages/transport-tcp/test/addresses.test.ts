/**
 * Addresses that work, and those that cannot, told in words.
 */
import { assert, describe, it } from "@effect/vitest"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { a, b, message, portOf, openNode, anyPort } from "./support/Peers.ts"

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
