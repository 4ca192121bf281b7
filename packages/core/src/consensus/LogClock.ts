/**
 * The time that a leader writes into its entries, by which sessions expire (thesis, section 6.3) and machines tell
 * the time.
 *
 * It follows the leader's wall clock, and never goes back, whatever the clocks of successive leaders say. But it is
 * slewed and not stepped: while a leader is in office, time in the log goes at least half and at most twice as fast as
 * the leader's monotonic clock. So a wall clock that jumps ahead makes nobody's session expire before half of its time
 * has truly passed, and after one that jumps back time does not stand still until the clock has caught up.
 *
 * Only a new leader's first entry may be far ahead of the one before: nobody knows how long there was no leader, and
 * for sessions idleness begins anew with it (`SessionTable`).
 */
import type { Leader, Leading, NodeState, Stamp } from "./NodeState.ts"
import * as RaftLog from "./RaftLog.ts"

const slowest = 1 / 2
const fastest = 2

/** The time in the log as a leader's term begins, in milliseconds since the epoch. */
export const atTermStart = (state: NodeState, stamp: Stamp): number =>
  Math.max(stamp.wallMillis, lastTimestampMillis(state))

/** The time now by the clock that a leader has kept since its last heartbeat, not rounded. */
export const nowOf = ({ beatMillis, beatTimeMillis }: Leader, stamp: Stamp): number => {
  const passedMillis = stamp.nowMillis - beatMillis
  const earliest = beatTimeMillis + passedMillis * slowest
  const latest = beatTimeMillis + passedMillis * fastest
  return Math.min(Math.max(stamp.wallMillis, earliest), latest)
}

/** The time for a leader's next entries, in whole milliseconds. */
export const nextTimestampMillis = (state: Leading, stamp: Stamp): number =>
  Math.max(Math.floor(nowOf(state.role, stamp)), lastTimestampMillis(state))

/** The time of the last entry, also where a snapshot covers it. */
const lastTimestampMillis = (state: NodeState): number =>
  Math.max(RaftLog.lastTimestampMillis(state.log), state.snapshot?.lastTimestampMillis ?? 0)
