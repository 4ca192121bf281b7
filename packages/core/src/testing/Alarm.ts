/**
 * How plain code is called back when its time has come.
 *
 * A fiber that sleeps does that on any `Clock`; but a simulated network sets an alarm for almost every
 * message, and a fiber for each would cost more than the message. A runtime that has timers of its own
 * gives them out here.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

/** Calls `ring` once, `afterMillis` from now. */
export type SetAlarm = (afterMillis: number, ring: () => void) => void

/** The timers of the runtime; `undefined` where it has none to give. */
export const Timers = Context.Reference<SetAlarm | undefined>("@effect-raft/core/testing/Alarm/Timers", {
  defaultValue: () => undefined
})

/** Alarms that ring until the Scope closes. */
export const make: Effect.Effect<SetAlarm, never, Scope.Scope> = Effect.gen(function* () {
  const timers = yield* Timers
  const scope = yield* Effect.scope
  if (timers === undefined) return yield* sleeping(scope)
  let isOver = false
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => {
      isOver = true
    })
  )
  return (afterMillis, ring) =>
    timers(afterMillis, () => {
      if (!isOver) ring()
    })
})

const sleeping = (scope: Scope.Scope): Effect.Effect<SetAlarm> =>
  Effect.gen(function* () {
    const fork = Effect.runForkWith(yield* Effect.annotateLogs(Effect.context(), { fiber: "alarm" }))
    const trackFiber = Fiber.runIn(scope)
    return (afterMillis, ring) => {
      trackFiber(fork(Effect.map(Effect.sleep(afterMillis), ring)))
    }
  })
