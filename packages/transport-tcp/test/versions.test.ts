/**
 * Peers of different programs: they use the newest version that both speak, and where there is none both ends
 * say so, with the versions of both.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Handshake from "../src/Handshake.ts"
import * as TcpTransport from "../src/TcpTransport.ts"
import * as Versions from "../src/Versions.ts"
import { a, anyPort, b, captureLog, message, openNode } from "./support/Peers.ts"

describe("Versions", () => {
  it("have in common the newest that both have", () => {
    const cases: ReadonlyArray<readonly [Versions.Versions, Versions.Versions, number | undefined]> = [
      [{ oldest: 2, newest: 2 }, { oldest: 2, newest: 2 }, 2],
      [{ oldest: 1, newest: 2 }, { oldest: 2, newest: 3 }, 2],
      [{ oldest: 1, newest: 4 }, { oldest: 2, newest: 3 }, 3],
      [{ oldest: 1, newest: 2 }, { oldest: 3, newest: 4 }, undefined]
    ]
    for (const [one, other, expected] of cases) {
      assert.strictEqual(Versions.common(one, other), expected)
      assert.strictEqual(Versions.common(other, one), expected)
    }
  })

  it("stand in the preamble, and that of a program that could not negotiate is read as one version", () => {
    const versions = { oldest: 2, newest: 5 }
    assert.deepStrictEqual(Handshake.versionsOf(Handshake.preamble(versions)), versions)
    assert.deepStrictEqual(Handshake.versionsOf(Handshake.preamble({ oldest: 1, newest: 0 })), {
      oldest: 1,
      newest: 1
    })
  })
})

describe("peers of different versions", () => {
  const newest = Handshake.ourVersions.newest

  it.live("that have one in common carry messages in it, whoever dials", () =>
    Effect.gen(function* () {
      const ahead = { oldest: newest, newest: newest + 1 }
      const one = yield* TcpTransport.make(anyPort)
      const other = yield* TcpTransport.make({ ...anyPort, protocolVersions: ahead })
      const first = yield* openNode(one, a, { [b]: other.address })
      const second = yield* openNode(other, b, { [a]: one.address })
      while (!first.send(b, message(1))) yield* Effect.yieldNow
      assert.deepStrictEqual(yield* Queue.take(second.received), message(1))
      while (!second.send(a, message(2))) yield* Effect.yieldNow
      assert.deepStrictEqual(yield* Queue.take(first.received), message(2))
    })
  )

  it.live("that have none in common refuse each other, and say why at both ends", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* captureLog
      yield* Effect.gen(function* () {
        const far = { oldest: newest + 1, newest: newest + 2 }
        const listener = yield* TcpTransport.make(anyPort)
        yield* openNode(listener, a, {})
        const dialler = yield* TcpTransport.make({ ...anyPort, protocolVersions: far })
        yield* openNode(dialler, b, { [a]: listener.address })
        const [ours, theirs] = [Versions.show(Handshake.ourVersions), Versions.show(far)]
        const words = `peer protocol ${ours} is spoken here, the other end speaks ${theirs}; update the older of the two`
        let said = ""
        while (!/Refused a connection from/.test(said) || !/a at .* refuses this node/.test(said)) {
          const line = yield* Queue.take(lines)
          if (line.includes(words)) said += line
        }
      }).pipe(Effect.provide(layer))
    })
  )
})
