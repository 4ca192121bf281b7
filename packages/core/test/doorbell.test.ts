/**
 * The bell of the actor's mailbox: a ring has the work done later and once, a knock at once; the fiber wakes
 * only for what it is given to run, and nothing is done any more when it has ended.
 */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Doorbell from "../src/internal/Doorbell.ts"

/** A fiber that attends to a bell, and what it has been given to run so far. */
const attending = Effect.gen(function* () {
  const next: Array<Effect.Effect<void, string>> = []
  let visits = 0
  const bell = yield* Doorbell.make(() => {
    visits += 1
    return next.shift()
  })
  const fiber = yield* Effect.forkScoped(bell.attend, { startImmediately: true })
  visits = 0
  return { ...bell, next, fiber, visits: () => visits }
})

/** Turns of the scheduler in which a ring is answered. */
const settle = Effect.repeat(Effect.yieldNow, { times: 4 })

it.effect("whoever rings goes on first, and all its rings are one", () =>
  Effect.gen(function* () {
    const { ring, visits } = yield* attending
    ring()
    ring()
    assert.strictEqual(visits(), 0)
    yield* settle
    assert.strictEqual(visits(), 1)
    ring()
    yield* settle
    assert.strictEqual(visits(), 2)
  })
)

it.effect("a knock is answered before it returns", () =>
  Effect.gen(function* () {
    const { knock, visits } = yield* attending
    knock()
    assert.strictEqual(visits(), 1)
  })
)

it.effect("the fiber runs what the work asks for, and then looks for more before it sleeps", () =>
  Effect.gen(function* () {
    const { knock, next, visits } = yield* attending
    const mayGoOn = Deferred.makeUnsafe<void>()
    next.push(Deferred.await(mayGoOn))
    knock()
    assert.strictEqual(visits(), 1)
    // It is awake: whoever knocks is not heard, and does not need to be.
    knock()
    assert.strictEqual(visits(), 1)
    yield* Deferred.succeed(mayGoOn, undefined)
    yield* settle
    assert.strictEqual(visits(), 2)
    knock()
    assert.strictEqual(visits(), 3)
  })
)

it.effect("work that knocks at its own door is not begun twice", () =>
  Effect.gen(function* () {
    let depth = 0
    const bell = yield* Doorbell.make(() => {
      depth += 1
      assert.strictEqual(depth, 1)
      bell.knock()
      depth -= 1
      return undefined
    })
    yield* Effect.forkScoped(bell.attend, { startImmediately: true })
    bell.knock()
  })
)

it.effect("a failure of the work ends the fiber, and so does what it throws", () =>
  Effect.gen(function* () {
    const one = yield* attending
    one.next.push(Effect.fail("the disk"))
    one.knock()
    assert.deepStrictEqual(yield* Fiber.await(one.fiber), Exit.fail("the disk"))
    const defect = new Error("an assertion")
    let isDue = false
    const bell = yield* Doorbell.make(() => {
      if (isDue) throw defect
      return undefined
    })
    const other = yield* Effect.forkScoped(bell.attend, { startImmediately: true })
    isDue = true
    bell.ring()
    assert.deepStrictEqual(yield* Fiber.await(other), Exit.die(defect))
  })
)

it.effect("when the fiber was interrupted nothing is done any more", () =>
  Effect.gen(function* () {
    const { fiber, knock, ring, visits } = yield* attending
    ring()
    yield* Fiber.interrupt(fiber)
    knock()
    yield* settle
    assert.strictEqual(visits(), 0)
  })
)

it.effect("a ring before the fiber lives is forgotten: it looks when it begins", () =>
  Effect.gen(function* () {
    let visits = 0
    const bell = yield* Doorbell.make(() => {
      visits += 1
      return undefined
    })
    bell.ring()
    yield* settle
    assert.strictEqual(visits, 0)
    yield* Effect.forkScoped(bell.attend, { startImmediately: true })
    assert.strictEqual(visits, 1)
  })
)
