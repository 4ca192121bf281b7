/**
 * How plain code wakes the one fiber that waits for work.
 *
 * A ring is not a call: the sleeper wakes in a turn of the scheduler, so whoever rang goes on first, and
 * all rings until then are one. Where the sleeper may run at once, inside whoever wakes it, a `Latch`
 * with `openUnsafe` does that and costs less.
 */
import * as Effect from "effect/Effect"

export interface Doorbell {
  /** Wakes the fiber in `wait`, soon; nothing happens where none is. */
  readonly ring: () => void
  /** Sleeps until the next ring. For one fiber, which looks for work before it goes to sleep. */
  readonly wait: Effect.Effect<void>
}

export const make: Effect.Effect<Doorbell> = Effect.withFiberSucceed((fiber) => {
  const dispatcher = fiber.currentDispatcher
  let wake: ((effect: Effect.Effect<void>) => void) | undefined
  let isRinging = false

  const answer = (): void => {
    isRinging = false
    const wakeSleeper = wake
    wake = undefined
    wakeSleeper?.(Effect.void)
  }

  return {
    ring: () => {
      if (isRinging || wake === undefined) return
      isRinging = true
      dispatcher.scheduleTask(answer, 0)
    },
    wait: Effect.callback((resume) => {
      wake = resume
    })
  }
})
