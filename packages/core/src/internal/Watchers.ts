/**
 * A signal without a value: "look again". Those who wait are woken together, and look for themselves, so
 * that a slow one misses steps in between but never the last one.
 */
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

export class Watchers {
  private gate = Latch.makeUnsafe(false)

  /** Completes at the next `notify`. Take it before looking, await it after. */
  get next(): Effect.Effect<void> {
    return Latch.await(this.gate)
  }

  notify(): void {
    const gate = this.gate
    this.gate = Latch.makeUnsafe(false)
    gate.openUnsafe()
  }
}
