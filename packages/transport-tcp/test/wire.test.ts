/**
 * A dialled wire, on a real socket: all that arrives lies in one buffer, so what is handed over for good must be
 * a copy, and what flows is lent.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Wire from "@effect-raft/transport-tcp/Wire"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Net from "node:net"

const partBytes = 8 * 1024

const part = (filling: string) => Buffer.alloc(partBytes, filling)

/** Somebody who is called, and whose socket the test writes to. */
const listen = Effect.gen(function* () {
  const called = yield* Deferred.make<Net.Socket>()
  const server = yield* Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const made = Net.createServer((socket) => Deferred.doneUnsafe(called, Effect.succeed(socket)))
      made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    (made) => Effect.sync(() => made.close())
  )
  const address = server.address()
  if (address === null || typeof address === "string") return assert.fail("it listens on a port")
  return { called: Deferred.await(called), port: address.port }
})

/** All that is pulled until there are so many bytes. */
const pulled = Effect.fnUntraced(function* (wire: Wire.Wire, bytes: number) {
  const chunks: Array<Uint8Array> = []
  while (Buffer.concat(chunks).byteLength < bytes) chunks.push(...(yield* wire.pull))
  return chunks
})

describe("a dialled wire", () => {
  it.live("lends what flows, and gives for good what is pulled before", () =>
    Effect.gen(function* () {
      const { called, port } = yield* listen
      const wire = yield* Wire.dial(
        { host: "127.0.0.1", port },
        { security: { _tag: "Plain", anywhere: false }, timeoutMillis: 5000 }
      )
      const peer = yield* called
      peer.write(part("a"))
      const first = yield* pulled(wire, partBytes)
      peer.write(part("b"))
      const second = yield* pulled(wire, partBytes)
      const all = yield* Deferred.make<string>()
      const places = new Set<ArrayBufferLike>()
      let seen = ""
      wire.flow({
        onBytes: () => Deferred.doneUnsafe(all, Effect.succeed("a chunk that is not lent")),
        onLent: (chunk) => {
          places.add(chunk.buffer)
          seen += Buffer.from(chunk).toString("latin1")
          if (seen.length === partBytes) peer.write(part("d"))
          if (seen.length === 2 * partBytes) Deferred.doneUnsafe(all, Effect.succeed(seen))
        },
        onDrained: () => {},
        onLost: () => Deferred.doneUnsafe(all, Effect.succeed("it was lost"))
      })
      peer.write(part("c"))
      assert.strictEqual(yield* Deferred.await(all), `${part("c").toString()}${part("d").toString()}`)
      assert.strictEqual(places.size, 1)
      assert.strictEqual(Buffer.concat(first).toString(), part("a").toString())
      assert.strictEqual(Buffer.concat(second).toString(), part("b").toString())
    }).pipe(Effect.scoped)
  )
})
