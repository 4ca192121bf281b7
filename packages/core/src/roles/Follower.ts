/**
 * The fibers of a node that waits: the election timer (paper, section 5.2), and a reminder for reads whose
 * question to the leader, or whose answer, was lost.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { NodeState } from "../consensus/NodeState.ts"
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

/** Whether reads wait here for the leader's word. */
export const hasReads = ({ role }: NodeState): boolean => role._tag === "Follower" && role.reads.length > 0

/**
 * Asks again, every heartbeat interval, for reads that still wait. While there are none it sleeps at a gate,
 * which is to be opened when there are some: mostly nobody reads at a follower.
 */
export const readReminder = (node: RoleContext, readsWait: Latch.Latch): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!hasReads(node.state())) {
      readsWait.closeUnsafe()
      return Latch.await(readsWait)
    }
    return Effect.map(Effect.sleep(node.state().config.heartbeatIntervalMillis), () => {
      if (hasReads(node.state())) node.post({ _tag: "ReadRetryDue" })
    })
  }).pipe(Effect.forever)
