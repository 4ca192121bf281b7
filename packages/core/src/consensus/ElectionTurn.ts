/**
 * Whose turn it is to stand when a leader is lost.
 *
 * The paper draws every wait from [t, 2t), t being the election timeout, so that rarely two nodes stand at
 * once (section 5.2, thesis 9.3); the shorter of two draws ends a third of t late, on average. Followers of
 * one leader know each other, so they need not leave it to chance: they stand in the order of their names, a
 * heartbeat interval apart. Nobody waits less than t or more than 2t. Where nodes do not agree about whose
 * turn it is, or whoever it is is gone, too, it is an election like any other; who stands a second time draws
 * from the whole.
 */
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import type { NodeState, Stamp } from "./NodeState.ts"

/** How many voters stand before this node once `leader` is lost; all of them where it is no voter itself. */
export const turnAfter = ({ membership, self }: NodeState, leader: NodeId | null): number =>
  turnAmong(Membership.votersByName(membership), self, leader)

const turnAmong = (voters: ReadonlyArray<NodeId>, self: NodeId, leader: NodeId | null): number => {
  const place = voters.indexOf(self)
  if (place === -1) return voters.length
  const leaderPlace = leader === null ? -1 : voters.indexOf(leader)
  return leaderPlace !== -1 && leaderPlace < place ? place - 1 : place
}

/**
 * How long this node lets others stand before it, in milliseconds, where all notice at the same moment that
 * they may: a fifth of a heartbeat interval for each of `candidates` whose name comes before its own.
 */
export const delayAmong = (
  { config, membership, self }: NodeState,
  candidates: ReadonlySet<NodeId>
): number => {
  const voters = Membership.votersByName(membership).filter((voter) => candidates.has(voter))
  return delayOf(turnAmong(voters, self, null), config)
}

/** The same, for those who have just lost `leader`. */
export const delayAfter = (state: NodeState, leader: NodeId): number =>
  delayOf(turnAfter(state, leader), state.config)

const delayOf = (turns: number, { heartbeatIntervalMillis }: RaftConfig): number =>
  Math.floor((turns * heartbeatIntervalMillis) / 5)

/** How long a turn is: a heartbeat interval, or less where the turns of all would not fit into [t, 2t). */
const turnMillis = (voters: number, config: RaftConfig): number =>
  Math.min(config.heartbeatIntervalMillis, config.electionTimeoutMillis / (voters || 1))

/**
 * When a follower that has just heard `leader` stands, if it hears nothing more: at a moment drawn from the
 * first half of its turn, so that the one before has the other half to ask for its pre-vote. With
 * `electionPriority` p it does not wait for its turn, but stands in the first 1/(1+p) of that half of the
 * first one.
 */
export const deadlineAfter = (state: NodeState, leader: NodeId, { jitter, nowMillis }: Stamp): number => {
  const { electionPriority, electionTimeoutMillis } = state.config
  const voters = Membership.votersByName(state.membership)
  const turn = electionPriority > 0 ? 0 : turnAmong(voters, state.self, leader)
  const part = jitter / 2 / (1 + electionPriority)
  return (
    nowMillis + electionTimeoutMillis + Math.floor((turn + part) * turnMillis(voters.length, state.config))
  )
}

/**
 * When a follower stands that has just granted a pre-vote. It lets the other go first and counts its turn
 * from now on: an election takes some milliseconds, and to stand meanwhile costs the one who wins it time.
 * But a pre-vote is no vote, and may be asked again and again by somebody who does not hear the answer; so
 * nobody waits for it longer than 2t after the last word of a leader, as it might have without.
 */
export const deadlineAfterPreVote = (
  state: NodeState,
  deadlineMillis: number,
  { jitter, nowMillis }: Stamp
): number => {
  const { electionTimeoutMillis } = state.config
  const latest = Math.max(state.heardLeaderMillis, state.startMillis) + 2 * electionTimeoutMillis
  const voters = Membership.votersByName(state.membership)
  const turns = turnAmong(voters, state.self, null) + 1 + jitter / 2
  const next = nowMillis + Math.floor(turns * turnMillis(voters.length, state.config))
  return Math.max(deadlineMillis, Math.min(next, latest))
}
