/** However many wait while nobody leads: each of them tries again, or is sent away. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { Guest } from "../../src/internal/WaitingRoom.ts"
import * as WaitingRoom from "../../src/internal/WaitingRoom.ts"
import { Watchers } from "../../src/internal/Watchers.ts"
import { follower, followerOf } from "../rules/Harness.ts"

const patienceMillis = 500

/** More than a function takes arguments. */
const crowd = 200_000

/** A room whose node knows of no leader until it is told, with a crowd in it. */
const fullRoom = Effect.gen(function* () {
  const watchers = new Watchers()
  const node = { state: follower({ term: 1 }).state, nowMillis: 0 }
  const room = yield* WaitingRoom.make(
    { state: () => node.state, stopped: () => undefined, nowMillis: () => node.nowMillis, watchers },
    { patienceMillis }
  )
  const seen = { again: 0, sentAway: 0 }
  const guest = (): Guest => ({
    waitsSinceMillis: undefined,
    again: () => void (seen.again += 1),
    giveUp: () => void (seen.sentAway += 1)
  })
  for (let count = 0; count < crowd; count++) assert.isTrue(room.admit(guest()))
  yield* Effect.yieldNow
  const passes = (millis: number) => {
    node.nowMillis += millis
    return TestClock.adjust(millis)
  }
  const hearsOfLeader = Effect.suspend(() => {
    node.state = followerOf("n2", { term: 2 }).state
    watchers.notify()
    return passes(1)
  })
  return { seen, passes, hearsOfLeader }
})

it.effect("a crowd tries again as soon as there is a leader", () =>
  Effect.gen(function* () {
    const { hearsOfLeader, passes, seen } = yield* fullRoom
    yield* passes(100)
    yield* hearsOfLeader
    assert.deepStrictEqual(seen, { again: crowd, sentAway: 0 })
  })
)

it.effect("a crowd is sent away when it has waited long enough", () =>
  Effect.gen(function* () {
    const { passes, seen } = yield* fullRoom
    yield* passes(patienceMillis - 1)
    assert.deepStrictEqual(seen, { again: 0, sentAway: 0 })
    yield* passes(1)
    assert.deepStrictEqual(seen, { again: 0, sentAway: crowd })
  })
)
