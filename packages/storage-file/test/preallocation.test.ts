/** How a file is filled with zeros beforehand. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { fill, pieceBytes, piecesAtATime } from "@effect-raft/storage-file/Preallocation"

describe("filling a file", () => {
  it.effect("keeps many pieces under way, so that it does not take a turn of the event loop for each", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      let begun = 0
      const filling = yield* Effect.forkChild(
        fill(1000 * pieceBytes, (_, bytes) =>
          Effect.suspend(() => {
            begun += 1
            return Effect.as(Deferred.await(first), bytes)
          })
        ),
        { startImmediately: true }
      )
      assert.strictEqual(begun, piecesAtATime)
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(filling)
      assert.strictEqual(begun, 1000)
    })
  )

  it.effect("covers every byte once, also where writes are short", () =>
    Effect.gen(function* () {
      const bytes = 3 * pieceBytes + 100
      const covered = new Uint8Array(bytes)
      yield* fill(bytes, (zeros, count, position) => {
        assert.isTrue(zeros.every((byte) => byte === 0))
        const written = Math.ceil(count / 2)
        for (let at = position; at < position + written; at++) covered[at]! += 1
        return Effect.succeed(written)
      })
      assert.isTrue(covered.every((times) => times === 1))
    })
  )

  it.effect("ends with the piece that fails", () =>
    Effect.gen(function* () {
      const full = fill(4 * pieceBytes, (_, bytes, position) =>
        position < 2 * pieceBytes ? Effect.succeed(bytes) : Effect.fail("the disk is full")
      )
      assert.strictEqual(yield* Effect.flip(full), "the disk is full")
    })
  )
})
