/**
 * How plain code gets the one fiber to work that is responsible for something.
 *
 * Most work waits for nothing. It is done in a plain call while its fiber sleeps on, because to wake a fiber
 * and to let it sleep again costs more than most work. Only where the work asks for an effect, or fails, is the
 * fiber woken: it runs that, and looks for more before it goes to sleep again. When it is interrupted nothing
 * is done any more.
 *
 * A `ring` is not a call: the work is done in a turn of the scheduler, so whoever rang goes on first, and
 * all rings until then are one. A `knock` is answered before it returns.
 */
import * as Effect from "effect/Effect"

/** Does what there is to do. What it gives is for the fiber to run; nothing, when all is done. */
export type Work<E> = () => Effect.Effect<void, E> | undefined

export interface Doorbell<E> {
  /** Has the work done, soon. Nothing happens where the fiber is awake: it looks for work before it sleeps. */
  readonly ring: () => void
  /** Has the work done now, unless the fiber is awake. */
  readonly knock: () => void
  /** The fiber's life: works, and sleeps while there is nothing to do. */
  readonly attend: Effect.Effect<never, E>
}

export const make = <E>(work: Work<E>): Effect.Effect<Doorbell<E>> =>
  Effect.withFiberSucceed((fiber) => {
    const dispatcher = fiber.currentDispatcher
    let wake: ((effect: Effect.Effect<void, E>) => void) | undefined
    let isRinging = false
    let isAtWork = false

    const sleep: Effect.Effect<void, E> = Effect.callback((resume) => {
      wake = resume
      return Effect.sync(() => {
        wake = undefined
      })
    })

    const workAsleep = (): void => {
      if (wake === undefined || isAtWork) return
      let next: Effect.Effect<void, E> | undefined
      isAtWork = true
      try {
        next = work()
      } catch (defect) {
        next = Effect.die(defect)
      }
      isAtWork = false
      if (next === undefined) return
      const resume = wake
      wake = undefined
      resume?.(next)
    }

    const answer = (): void => {
      isRinging = false
      workAsleep()
    }

    return {
      ring: () => {
        if (isRinging || isAtWork || wake === undefined) return
        isRinging = true
        dispatcher.scheduleTask(answer, 0)
      },
      knock: workAsleep,
      attend: Effect.forever(
        Effect.suspend(() => work() ?? sleep),
        { disableYield: true }
      )
    }
  })
