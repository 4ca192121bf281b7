/**
 * Wakes one waiting fiber, once for everything that happens in the same turn of the event loop.
 *
 * An actor sends many messages in one turn. A `Latch` would wake the writer inside the first `send`, and
 * every message would be a write of its own; the bell rings in a microtask, when the actor's turn is over
 * and before the loop goes on. That is one write per connection and turn, without a timer.
 */
import * as Effect from "effect/Effect"

export class Doorbell {
  private rung = false
  private waiter: (() => void) | undefined

  /** Asks for the waiter's attention. May be called as often as one likes. */
  ring(): void {
    if (this.rung) return
    this.rung = true
    if (this.waiter !== undefined) queueMicrotask(this.answer)
  }

  /** Waits until the bell was rung since the last time; for one fiber. */
  readonly wait: Effect.Effect<void> = Effect.callback((resume) => {
    this.waiter = () => resume(Effect.void)
    if (this.rung) this.answer()
    return Effect.sync(() => {
      this.waiter = undefined
    })
  })

  private readonly answer = (): void => {
    const waiter = this.waiter
    if (waiter === undefined) return
    this.waiter = undefined
    this.rung = false
    waiter()
  }
}
