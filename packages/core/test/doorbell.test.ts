/**
 * The bell of the actor's mailbox: a ring wakes whoever sleeps, later and once, and is forgotten where
 * nobody does.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Doorbell from "../src/internal/Doorbell.ts"

const sleeper = Effect.gen(function* () {
  const bell = yield* Doorbell.make
  let wakings = 0
  const countWakings = Effect.forever(Effect.map(bell.wait, () => (wakings += 1)))
  yield* Effect.forkScoped(countWakings, { startImmediately: true })
  return { ring: bell.ring, wakings: () => wakings }
})

/** Turns of the scheduler in which a sleeper comes back to its bell. */
const settle = Effect.repeat(Effect.yieldNow, { times: 4 })

it.effect("whoever rings goes on first, and all its rings are one", () =>
  Effect.gen(function* () {
    const { ring, wakings } = yield* sleeper
    ring()
    ring()
    assert.strictEqual(wakings(), 0)
    yield* settle
    assert.strictEqual(wakings(), 1)
    ring()
    yield* settle
    assert.strictEqual(wakings(), 2)
  })
)

it.effect("a ring that nobody sleeps through is forgotten", () =>
  Effect.gen(function* () {
    const bell = yield* Doorbell.make
    bell.ring()
    let hasWoken = false
    yield* Effect.forkScoped(
      Effect.map(bell.wait, () => (hasWoken = true)),
      { startImmediately: true }
    )
    yield* settle
    assert.isFalse(hasWoken)
  })
)
