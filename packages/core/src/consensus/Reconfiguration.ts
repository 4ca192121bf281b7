/**
 * Changing the membership (paper, section 6; thesis, chapter 4): when a leader may, what it appends, and how
 * a change ends.
 *
 * A change is an entry in the log, in force as soon as it stands there. There is never more than one that is
 * not committed, and a leader begins none before an entry of its own term is committed: else two leaders
 * could each count on majorities that share nobody. A joint membership is left by whoever leads when it is
 * committed, also a successor that only inherited it. A leader that is no voter any more leads until that is
 * committed, and then steps down.
 */
import * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import type { MembershipChange, MembershipRejection } from "../MembershipChange.ts"
import type { NodeId } from "../NodeId.ts"
import type { Emit } from "./Action.ts"
import * as Configurations from "./Configurations.ts"
import * as Following from "./Following.ts"
import * as LeadershipTransfer from "./LeadershipTransfer.ts"
import * as NextMembership from "./NextMembership.ts"
import type { Leading, NodeState, Stamp } from "./NodeState.ts"
import { isLeading, peersOf } from "./NodeState.ts"
import * as Progress from "./Progress.ts"
import * as Quorum from "./Quorum.ts"
import * as RaftLog from "./RaftLog.ts"
import * as Replication from "./Replication.ts"

/** Somebody asks for a change. It is begun at once, or refused with the reason. */
export const onRequested = (
  state: NodeState,
  request: { readonly requestId: number; readonly change: MembershipChange },
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { requestId, change } = request
  if (!isLeading(state)) {
    emit({ _tag: "MembershipRefused", requestId, because: "NotLeader" })
    return state
  }
  const next = nextMembership(state, change, stamp)
  if (!NextMembership.isMembership(next)) {
    emit({ _tag: "MembershipRefused", requestId, because: next })
    return state
  }
  const index = LogIndex.plus(state.log.lastIndex, 1)
  emit({ _tag: "MembershipAppended", requestId, index, term: state.currentTerm })
  return append(state, next, stamp, emit)
}

const nextMembership = (
  state: Leading,
  change: MembershipChange,
  stamp: Stamp
): Membership.Membership | MembershipRejection => {
  const { membership } = state
  const inFlight = hindrance(state)
  if (inFlight !== undefined) return inFlight
  if (membership._tag === "Joint") return { _tag: "ChangeInFlight", index: latestIndex(state) }
  const next = NextMembership.next(membership, change)
  return NextMembership.isMembership(next) ? (unfit(state, next, stamp) ?? next) : next
}

/** Why this is no moment for a change, whatever it be. */
const hindrance = (state: Leading): MembershipRejection | undefined => {
  if (state.role.transfer !== undefined) return { _tag: "TransferInProgress", to: state.role.transfer.to }
  // The rule that single-server changes were first published without (thesis, section 4.1, and the note of
  // 2015): a leader must have committed an entry of its own term.
  if (state.commitIndex < state.role.termStartIndex)
    return { _tag: "NothingCommittedYet", term: state.currentTerm }
  const index = latestIndex(state)
  return index > state.commitIndex ? { _tag: "ChangeInFlight", index } : undefined
}

const latestIndex = (state: NodeState): LogIndex.LogIndex => Configurations.latest(state.configurations).index

/** Why these cannot be the voters now. */
const unfit = (
  state: Leading,
  { voters }: Membership.Membership,
  stamp: Stamp
): MembershipRejection | undefined => {
  const ids = voters.map(({ id }) => id)
  const isSameSet = ids.every((id) => isVoter(state, id)) && ids.length === state.membership.voters.length
  return isSameSet ? undefined : (laggard(state, ids, stamp) ?? unreachable(state, ids, stamp))
}

const isVoter = (state: NodeState, id: NodeId): boolean => Membership.isVoter(state.membership, id)

/** A voter that lags would leave the cluster without a quorum until it has caught up (thesis, 4.2.1). */
const laggard = (
  state: Leading,
  voters: ReadonlyArray<NodeId>,
  stamp: Stamp
): MembershipRejection | undefined => {
  const nodeId = voters.find((id) => !isVoter(state, id) && !hasCaughtUp(state, id, stamp))
  if (nodeId === undefined) return undefined
  const matchIndex = state.role.progress.get(nodeId)?.matchIndex ?? LogIndex.zero
  return { _tag: "LearnerLags", nodeId, matchIndex, commitIndex: state.commitIndex }
}

/** Whether a learner answers, and lacks at most `maxPromotionLagBytes` of what is committed. */
const hasCaughtUp = (state: NodeState, learner: NodeId, stamp: Stamp): boolean => {
  const progress = isLeading(state) ? state.role.progress.get(learner) : undefined
  if (progress === undefined || progress.mode === "Probe" || !isHeard(state, progress, stamp)) return false
  if (progress.matchIndex < state.log.base.index) return false
  const missing = LogIndex.plus(progress.matchIndex, 1)
  return RaftLog.bytesBetween(state.log, missing, state.commitIndex) <= state.config.maxPromotionLagBytes
}

/** A majority that nobody hears would commit nothing, not even the way back. */
const unreachable = (
  state: Leading,
  voters: ReadonlyArray<NodeId>,
  stamp: Stamp
): MembershipRejection | undefined => {
  const reachable = voters.filter((id) => {
    const progress = state.role.progress.get(id)
    return id === state.self || (progress !== undefined && isHeard(state, progress, stamp))
  })
  return reachable.length < Quorum.majority(voters.length)
    ? { _tag: "QuorumUnreachable", voters, reachable }
    : undefined
}

/** Whether a peer has answered in this term, and lately. */
const isHeard = ({ config }: NodeState, progress: Progress.Progress, stamp: Stamp): boolean =>
  progress.matchIndex > LogIndex.zero &&
  stamp.nowMillis - progress.contactMillis < config.electionTimeoutMillis

/** The leader's log has one more configuration, by which it goes from now on. */
const append = (state: Leading, membership: Membership.Membership, stamp: Stamp, emit: Emit): NodeState => {
  const payload = Membership.toPayload(membership)
  const appended = Replication.appendDrafts(state, [{ kind: "Configuration", payload }], stamp, emit)
  const added = peersOf(appended).filter((peer) => !Membership.isMember(state.membership, peer))
  return isLeading(appended) && added.length > 0 ? withProgress(appended, added, stamp) : appended
}

/**
 * Of those who are new the leader knows nothing, also where it knew them once: their disks may be others now.
 * Those who leave keep their progress until {@link onHeartbeatDue}.
 */
const withProgress = (state: Leading, added: ReadonlyArray<NodeId>, stamp: Stamp): NodeState => {
  const unknown = Progress.initial({
    nextIndex: LogIndex.plus(state.log.lastIndex, 1),
    memberSince: latestIndex(state),
    nowMillis: stamp.nowMillis
  })
  const progress = added.reduce((known, peer) => known.with(peer, unknown), state.role.progress)
  return { ...state, role: { ...state.role, progress } }
}

/**
 * The commit index of this node has moved on from `before`. If a configuration is committed by that, its
 * change goes on, or ends. What a leader inherited as committed it takes up with its first own commit.
 */
export const onCommitted = (
  before: LogIndex.LogIndex,
  state: NodeState,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { index, membership } = Configurations.latest(state.configurations)
  if (!isLeading(state) || index > state.commitIndex) return state
  if (index <= before && before >= state.role.termStartIndex) return state
  if (membership._tag === "Joint") return append(state, NextMembership.leaveJoint(membership), stamp, emit)
  if (index > before) emit({ _tag: "MembershipSettled", index, membership })
  if (isVoter(state, state.self)) return state
  LeadershipTransfer.appointSuccessor(state, stamp, emit)
  return Following.becomeFollower(state, { term: state.currentTerm, leader: null }, stamp, emit)
}

/** With each heartbeat: learners that were to be promoted and can be, and those who have left and know it. */
export const onHeartbeatDue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  if (!isLeading(state)) return state
  const staying = withoutDeparted(state, stamp)
  const { membership } = staying
  const learner = membership.learners.find(({ autoPromote }) => autoPromote === true)
  if (learner === undefined) return staying
  const next = nextMembership(staying, { _tag: "Promote", nodeId: learner.id }, stamp)
  return NextMembership.isMembership(next) ? append(staying, next, stamp, emit) : staying
}

/**
 * A node that was removed gets the log up to its removal, and is told that this is committed, so that it
 * stands for no election. A heartbeat later, or when it does not answer, it gets no more.
 */
const withoutDeparted = (state: Leading, stamp: Stamp): Leading => {
  const { progress, settledIndex: toldIndex } = state.role
  const index = latestIndex(state)
  const hasDeparted = (peer: NodeId, { matchIndex, contactMillis }: Progress.Progress): boolean =>
    !Membership.isMember(state.membership, peer) &&
    (Math.min(toldIndex, matchIndex) >= index ||
      stamp.nowMillis - contactMillis >= state.config.electionTimeoutMillis)
  const staying = progress.filter((known, peer) => !hasDeparted(peer, known))
  const settledIndex = index <= state.commitIndex ? index : toldIndex
  if (staying.size === progress.size && settledIndex === toldIndex) return state
  return { ...state, role: { ...state.role, progress: staying, settledIndex } }
}
