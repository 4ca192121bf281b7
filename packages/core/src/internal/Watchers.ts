/**
 * A signal without a value: "look again". Those who wait are woken together, and look for themselves, so
 * that a slow one misses steps in between but never the last one.
 */
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

export class Watchers {
  /** Made for the first who waits: mostly nobody does. */
  private gate: Latch.Latch | undefined

  /** Completes at the next `notify`. Take it before looking, await it after. */
  get next(): Effect.Effect<void> {
    this.gate ??= Latch.makeUnsafe(false)
    return Latch.await(this.gate)
  }

  notify(): void {
    const { gate } = this
    this.gate = undefined
    gate?.openUnsafe()
  }
}
