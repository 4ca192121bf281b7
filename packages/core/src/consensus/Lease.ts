/**
 * Reading without asking (thesis, section 6.4.1).
 *
 * Who hears a leader helps nobody to replace it for an election timeout. So for almost that long after a
 * round that a quorum has answered began, no other node can have been elected, and the leader may answer
 * reads from its own state. "Almost" is for clocks that run at different rates: of the election timeout the
 * leader takes off `maxClockDriftPercent`. The promise is the follower's: with leases it holds it whatever
 * becomes of its role, and also for an election timeout after a start, because it may have been given before.
 *
 * A leader that has asked another to take over has waived the promise, for good: that word may arrive at any
 * time of its term.
 */
import * as Membership from "../Membership.ts"
import type { Leader, NodeState, Stamp } from "./NodeState.ts"
import * as Progress from "./Progress.ts"
import * as Quorum from "./Quorum.ts"

/** When a round began. */
export interface RoundStart {
  readonly round: number
  readonly startMillis: number
}

/** Whether this node has promised a leader that it will help nobody to replace it yet. */
export const isPromised = (state: NodeState, stamp: Stamp): boolean =>
  state.config.leaseReads &&
  stamp.nowMillis - Math.max(state.heardLeaderMillis, state.startMillis) < state.config.electionTimeoutMillis

/** Whether this leader may answer a read from its own state. */
export const isHeld = (state: NodeState, role: Leader, stamp: Stamp): boolean => {
  const { leaseReads, electionTimeoutMillis, maxClockDriftPercent } = state.config
  if (!leaseReads || role.hasUrged || state.commitIndex < role.termStartIndex) return false
  const leaseMillis = electionTimeoutMillis * (1 - maxClockDriftPercent / 100)
  return stamp.nowMillis - confirmedMillis(state, role) < leaseMillis
}

/** The latest time at which a round began that a quorum has answered; a leader always answers itself. */
const confirmedMillis = (state: NodeState, role: Leader): number =>
  Quorum.reachedBy(Membership.votingSets(state.membership), (voter) =>
    voter === state.self
      ? Number.POSITIVE_INFINITY
      : (role.progress.get(voter)?.confirmedMillis ?? Number.NEGATIVE_INFINITY)
  )

/** With each heartbeat a round begins, so that the lease is always fresh: notes when it was. */
export const onRoundBegun = (state: NodeState, stamp: Stamp): NodeState => {
  const { role, config } = state
  if (role._tag !== "Leader" || !config.leaseReads) return state
  const since = stamp.nowMillis - config.electionTimeoutMillis
  // What began before that gives no lease any more.
  const recent = role.roundStarts.filter(({ startMillis }) => startMillis > since)
  return {
    ...state,
    role: { ...role, roundStarts: [...recent, { round: role.round, startMillis: stamp.nowMillis }] }
  }
}

/** A peer has answered `round`, and with it everything that was asked before. */
export const confirm = (role: Leader, progress: Progress.Progress, round: number): Progress.Progress => {
  const start = role.roundStarts.findLast((known) => known.round <= round)
  return start === undefined ? progress : Progress.confirmed(progress, start.startMillis)
}
