/**
 * The fibers of a node that waits: the election timer (paper, section 5.2), and a reminder for reads whose
 * question to the leader, or whose answer, was lost.
 */
import * as Effect from "effect/Effect"
import type { RoleContext } from "./Role.ts"

/**
 * Sleeps until the election deadline and rings. The leader's word moves the deadline, not the timer: it
 * looks again when it wakes. Candidates use it too, to give up and start anew.
 */
export const electionTimer = (node: RoleContext): Effect.Effect<void> => {
  let rungFor = Number.NEGATIVE_INFINITY
  return Effect.suspend(() => {
    const { config, role } = node.state()
    if (role._tag === "Leader") return Effect.void
    const waitMillis = role.electionDeadlineMillis - node.nowMillis()
    // Timers count whole milliseconds; one that rings early would ring again and again.
    if (waitMillis > 0) return Effect.sleep(Math.ceil(waitMillis))
    // The actor has not come to it yet: do not ring twice for the same deadline.
    if (rungFor === role.electionDeadlineMillis) return Effect.sleep(config.heartbeatIntervalMillis)
    rungFor = role.electionDeadlineMillis
    node.post({ _tag: "ElectionDue" })
    return Effect.yieldNow
  }).pipe(Effect.forever)
}

/** Asks again, every heartbeat interval, for reads that still wait. */
export const readReminder = (node: RoleContext): Effect.Effect<void> =>
  Effect.sync(() => {
    const { role } = node.state()
    if (role._tag === "Follower" && role.reads.length > 0) node.post({ _tag: "ReadRetryDue" })
  }).pipe(Effect.delay(node.state().config.heartbeatIntervalMillis), Effect.forever)
