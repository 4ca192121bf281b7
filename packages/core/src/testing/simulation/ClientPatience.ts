/**
 * How long a client of the simulated cluster waits for an answer. It has one alarm: most answers come long
 * before, and an alarm for each request would keep all that hangs on it until it rings.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Alarm from "../Alarm.ts"

export class ClientPatience {
  private readonly millis: number
  private readonly nowMillis: () => number
  private readonly setAlarm: Alarm.SetAlarm
  private asking: Fiber.Fiber<unknown, unknown> | undefined
  private sinceMillis = 0
  private isAlarmSet = false

  constructor(millis: number, nowMillis: () => number, setAlarm: Alarm.SetAlarm) {
    this.millis = millis
    this.nowMillis = nowMillis
    this.setAlarm = setAlarm
  }

  begin(asking: Fiber.Fiber<unknown, unknown>): void {
    this.asking = asking
    this.sinceMillis = this.nowMillis()
    if (!this.isAlarmSet) this.ringIn(this.millis)
  }

  end(): void {
    this.asking = undefined
  }

  /** The client itself ends, and its request with it. */
  readonly giveUp = Effect.suspend(() =>
    this.asking === undefined ? Effect.void : Fiber.interrupt(this.asking)
  )

  private ringIn(afterMillis: number): void {
    this.isAlarmSet = true
    this.setAlarm(afterMillis, () => {
      this.isAlarmSet = false
      if (this.asking === undefined) return
      const leftMillis = this.sinceMillis + this.millis - this.nowMillis()
      if (leftMillis <= 0) this.asking.interruptUnsafe()
      else this.ringIn(leftMillis)
    })
  }
}
