/**
 * When an entry is committed (paper, sections 5.3 and 5.4.2).
 */
import * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import type { NodeState } from "./NodeState.ts"
import * as Quorum from "./Quorum.ts"
import * as RaftLog from "./RaftLog.ts"

/**
 * A leader commits what a quorum holds durably, itself included, but only through an entry of its own
 * term: entries of older terms are committed by what follows them, never by counting (figure 8).
 */
export const advance = (state: NodeState): NodeState => {
  const { role } = state
  if (role._tag !== "Leader") return state
  const held = Quorum.reachedBy(Membership.votingSets(state.membership), (voter) =>
    voter === state.self ? state.durability.index : (role.progress.get(voter)?.matchIndex ?? 0)
  ) as LogIndex.LogIndex
  if (held <= state.commitIndex || RaftLog.termAt(state.log, held) !== state.currentTerm) return state
  return { ...state, commitIndex: held }
}

/**
 * A follower learns what is committed. It believes this only as far as the message itself has shown its
 * log to be the leader's (`verifiedIndex`): what lies behind that may still be another leader's.
 */
export const learn = (
  state: NodeState,
  leaderCommit: LogIndex.LogIndex,
  verifiedIndex: LogIndex.LogIndex
): NodeState => {
  const known = LogIndex.min(leaderCommit, verifiedIndex)
  return known > state.commitIndex ? { ...state, commitIndex: known } : state
}
