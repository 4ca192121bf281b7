/**
 * How plain code is called back when its time has come.
 *
 * A fiber that sleeps does the same and works on any `Clock`; but a simulated network sets an alarm for
 * almost every message, and a fiber for each would cost more than the message. A runtime that has timers
 * of its own gives them out here; without one (the default) whoever needs it must sleep.
 */
import * as Context from "effect/Context"

/** Calls `ring` once, `afterMillis` from now. */
export type SetAlarm = (afterMillis: number, ring: () => void) => void

export const Alarm = Context.Reference<SetAlarm | undefined>("@effect-raft/core/testing/Alarm", {
  defaultValue: () => undefined
})
