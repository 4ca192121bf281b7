/**
 * A node's own clock, made from the world's: it runs a little fast or slow, its wall clock jumps, and it
 * stands still while the node is paused.
 *
 * A paused node does nothing: a timer that comes due while it stands still rings when it goes on.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

export class NodeClock implements Clock.Clock {
  private readonly world: Clock.Clock
  /** Seconds of this clock in a second of the world. */
  private readonly rate: number
  private wallOffsetMillis = 0
  private readonly running = Latch.makeUnsafe(true)

  constructor(world: Clock.Clock, driftPerMille: number) {
    this.world = world
    this.rate = 1 + driftPerMille / 1_000
  }

  /** Moves the wall clock; what is measured with the monotonic one does not notice. */
  jump(byMillis: number): void {
    this.wallOffsetMillis += byMillis
  }

  pause(): void {
    this.running.closeUnsafe()
  }

  resume(): void {
    this.running.openUnsafe()
  }

  currentTimeMillisUnsafe(): number {
    // A wall clock starts somewhere; that it is far from 0 keeps a jump back from reaching below it.
    return Math.round(
      1_000_000_000 + this.world.currentTimeMillisUnsafe() * this.rate + this.wallOffsetMillis
    )
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    const nanos = this.world.monotonicTimeNanosUnsafe()
    return this.rate === 1 ? nanos : BigInt(Math.round(Number(nanos) * this.rate))
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const slept = this.world.sleep(
      this.rate === 1 ? duration : Duration.millis(Duration.toMillis(duration) / this.rate)
    )
    return Effect.andThen(slept, Latch.await(this.running))
  }
}
