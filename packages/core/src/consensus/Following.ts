/**
 * Becoming a follower: what every role falls back to when it hears of a higher term, of the leader of
 * its term, or of nobody for too long (paper, section 5.1).
 */
import * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { Term } from "../Term.ts"
import type { Emit } from "./Action.ts"
import * as Durable from "./Durable.ts"
import * as ElectionTurn from "./ElectionTurn.ts"
import type { Follower, NodeState, Stamp } from "./NodeState.ts"
import { electionDelayMillis } from "./NodeState.ts"
import * as ReadIndex from "./ReadIndex.ts"

/**
 * Follows `leader` (or nobody yet) in `term`, whatever it was before. All that hung on the old role is
 * answered.
 */
export const becomeFollower = (
  state: NodeState,
  options: { readonly term: Term; readonly leader: NodeId | null },
  stamp: Stamp,
  emit: Emit
): NodeState & { readonly role: Follower } => {
  ReadIndex.refuseAll(state, emit)
  const votedFor = options.term > state.currentTerm ? null : state.votedFor
  const inTerm = Durable.setTermAndVote(state, options.term, votedFor, emit)
  return {
    ...inTerm,
    heardLeaderMillis: options.leader === null ? state.heardLeaderMillis : stamp.nowMillis,
    role: {
      _tag: "Follower",
      leader: options.leader,
      heardMillis: options.leader === null ? Number.NEGATIVE_INFINITY : stamp.nowMillis,
      // Only a leader's word or a granted vote puts the own candidacy off (section 5.2): a stale
      // candidate with a high term delays nobody.
      electionDeadlineMillis:
        options.leader !== null
          ? ElectionTurn.deadlineAfter(state, options.leader, stamp)
          : state.role._tag === "Leader"
            ? electionDeadline(state, stamp)
            : state.role.electionDeadlineMillis,
      verifiedIndex: LogIndex.zero,
      reads: []
    }
  }
}

/** When to stand for election if nothing is heard until then, and no leader was heard before. */
export const electionDeadline = (state: NodeState, stamp: Stamp): number =>
  stamp.nowMillis + electionDelayMillis(state.config, stamp.jitter)

/**
 * The sender leads this term: a candidate of the same term gives up, a follower waits anew. Throws where
 * this node leads the term itself, which Election Safety rules out.
 */
export const hearLeader = (state: NodeState, leader: NodeId, stamp: Stamp, emit: Emit): NodeState => {
  if (state.role._tag === "Leader") {
    throw new Error(`Two leaders in term ${state.currentTerm}: ${state.self} and ${leader} (Election Safety)`)
  }
  if (state.role._tag !== "Follower" || state.role.leader !== leader) {
    return becomeFollower(state, { term: state.currentTerm, leader }, stamp, emit)
  }
  const heard: Follower = {
    ...state.role,
    heardMillis: stamp.nowMillis,
    electionDeadlineMillis: ElectionTurn.deadlineAfter(state, leader, stamp)
  }
  return { ...state, heardLeaderMillis: stamp.nowMillis, role: heard }
}
