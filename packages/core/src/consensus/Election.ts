/**
 * Elections (paper, section 5.2; restriction on who can win, section 5.4.1; pre-vote, thesis 9.6;
 * leader stickiness, thesis 4.2.3).
 */
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { PreVote, PreVoteReply, RaftMessage, RequestVote, RequestVoteReply } from "../RaftMessage.ts"
import * as Term from "../Term.ts"
import type { Emit } from "./Action.ts"
import * as CheckQuorum from "./CheckQuorum.ts"
import * as Configurations from "./Configurations.ts"
import * as Durable from "./Durable.ts"
import * as ElectionTurn from "./ElectionTurn.ts"
import * as Following from "./Following.ts"
import { electionDeadline } from "./Following.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import * as Lease from "./Lease.ts"
import * as Quorum from "./Quorum.ts"
import * as RaftLog from "./RaftLog.ts"
import * as ReadIndex from "./ReadIndex.ts"
import * as Replication from "./Replication.ts"

/** The election timer rang. It may be late: then the deadline has moved, and nothing happens. */
export const onElectionDue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag === "Leader" || stamp.nowMillis < role.electionDeadlineMillis) return state
  if (!mayStand(state)) {
    return { ...state, role: { ...role, electionDeadlineMillis: electionDeadline(state, stamp) } }
  }
  return state.config.preVote
    ? becomePreCandidate(state, stamp, emit)
    : becomeCandidate(state, { leadershipTransfer: false }, stamp, emit)
}

/**
 * Whether this node may be a candidate. Learners may not, nor who was removed. But a voter whose removal
 * stands in its log uncommitted may: the others might not get on without the entries that only it has
 * (thesis, section 4.2.2 and figure 4.6). It does not count itself. After a restart no node knows what is
 * committed, so it is asked what stands before the removal, and not what stood at the commit index.
 */
export const mayStand = ({ self, membership, configurations, commitIndex }: NodeState): boolean =>
  Membership.isVoter(membership, self) ||
  (Configurations.latest(configurations).index > commitIndex &&
    Membership.isVoter(Configurations.previous(configurations).membership, self))

/**
 * The connection with a peer broke. If it was the leader's, it is no longer protected, and an election
 * comes soon: others still protect a leader that they hear, so a false alarm is harmless. With leases a
 * promise is a promise, and the timer takes its time.
 *
 * All voters notice at the same moment; one after the other, a fifth of a heartbeat interval apart, they do
 * not split the vote, and the first need not wait. Whoever is gone, too, or behind, costs no more than its
 * turn.
 */
export const onPeerLost = (state: NodeState, peer: NodeId, stamp: Stamp, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Follower" || role.leader !== peer || Lease.isPromised(state, stamp)) return state
  const soon = stamp.nowMillis + ElectionTurn.delayAfter(state, peer)
  const alone: NodeState = {
    ...state,
    role: {
      ...role,
      heardMillis: Number.NEGATIVE_INFINITY,
      electionDeadlineMillis: Math.min(role.electionDeadlineMillis, soon)
    }
  }
  // Whose turn it is stands now, and does not wait for a timer that would ring at once.
  return onElectionDue(alone, stamp, emit)
}

const becomePreCandidate = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  ReadIndex.refuseAll(state, emit)
  const attempt = state.role._tag === "PreCandidate" ? state.role.attempt + 1 : 1
  const asking: NodeState = {
    ...state,
    role: {
      _tag: "PreCandidate",
      votes: new Map([[state.self, true]]),
      electionDeadlineMillis: electionDeadline(state, stamp),
      attempt
    }
  }
  return countPreVotes(asking, stamp, emit)
}

/** Stands for election in the next term. With `leadershipTransfer` nobody protects the leader against it. */
export const becomeCandidate = (
  state: NodeState,
  { leadershipTransfer }: { readonly leadershipTransfer: boolean },
  stamp: Stamp,
  emit: Emit
): NodeState => {
  ReadIndex.refuseAll(state, emit)
  const inTerm = Durable.setTermAndVote(state, Term.next(state.currentTerm), state.self, emit)
  return {
    ...inTerm,
    role: {
      _tag: "Candidate",
      votes: new Map(),
      electionDeadlineMillis: electionDeadline(state, stamp),
      leadershipTransfer,
      voteTicket: inTerm.durability.hardState
    }
  }
}

/** A candidate counts its own vote when it is durable, not before. */
export const onOwnVoteDurable = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Candidate" || role.votes.has(state.self)) return state
  if (role.voteTicket > state.durability.persisted) return state
  return countVote(state, state.self, true, stamp, emit)
}

/**
 * What a candidate still wants to ask `peer`, or `undefined`. A pre-vote is asked again until it is
 * granted, because a refusal says only that the peer still hears a leader.
 */
export const requestFor = (state: NodeState, peer: NodeId): RaftMessage | undefined => {
  const { role } = state
  const last = { lastLogIndex: state.log.lastIndex, lastLogTerm: state.log.lastTerm }
  if (role._tag === "PreCandidate") {
    if (role.votes.get(peer) === true) return undefined
    return { _tag: "PreVote", term: Term.next(state.currentTerm), ...last }
  }
  if (role._tag === "Candidate" && role.votes.has(state.self) && !role.votes.has(peer)) {
    const { leadershipTransfer } = role
    return { _tag: "RequestVote", term: state.currentTerm, ...last, leadershipTransfer }
  }
  return undefined
}

/**
 * Whether this node heard from a leader so lately that it helps nobody to replace it. A leader counts
 * as hearing itself while a quorum answers it.
 */
export const protectsLeader = (state: NodeState, stamp: Stamp): boolean => {
  if (Lease.isPromised(state, stamp)) return true
  if (!state.config.checkQuorum) return false
  const since = stamp.nowMillis - state.config.electionTimeoutMillis
  switch (state.role._tag) {
    case "Leader":
      return CheckQuorum.quorumContactMillis(state, stamp) > since
    case "Follower":
      return state.role.heardMillis > since
    default:
      return false
  }
}

/** A pre-vote changes neither term nor vote, here or there. Who grants one lets the other go first. */
export const onPreVote = (
  state: NodeState,
  from: NodeId,
  message: PreVote,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const granted =
    message.term > state.currentTerm &&
    RaftLog.isUpToDate(state.log, message) &&
    !protectsLeader(state, stamp) &&
    !goesBefore(state, from, message)
  Durable.sendInTerm(
    state,
    from,
    { _tag: "PreVoteReply", term: state.currentTerm, requestedTerm: message.term, granted },
    emit
  )
  const { role } = state
  if (!granted || role._tag !== "Follower") return state
  const electionDeadlineMillis = ElectionTurn.deadlineAfterPreVote(state, role.electionDeadlineMillis, stamp)
  return electionDeadlineMillis === role.electionDeadlineMillis
    ? state
    : { ...state, role: { ...role, electionDeadlineMillis } }
}

/**
 * Whether this node stands itself, and goes before a rival whose log is as good. Two who lost their leader
 * at the same moment would otherwise grant each other their pre-votes, and then split the vote. By name, as
 * they take their turns. It insists in its first try only: perhaps nobody hears it, and the rival is heard.
 */
const goesBefore = ({ log, role, self }: NodeState, rival: NodeId, theirs: PreVote): boolean =>
  role._tag === "PreCandidate" &&
  role.attempt === 1 &&
  theirs.lastLogTerm === log.lastTerm &&
  theirs.lastLogIndex === log.lastIndex &&
  self < rival

/** A vote is asked for in the present term; the term gate has dealt with others. */
export const onRequestVote = (
  state: NodeState,
  from: NodeId,
  message: RequestVote,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const isFree = message.leadershipTransfer || !Lease.isPromised(state, stamp)
  const granted =
    isFree && (state.votedFor === null || state.votedFor === from) && RaftLog.isUpToDate(state.log, message)
  const voted = granted ? grantVote(state, from, stamp, emit) : state
  Durable.sendInTerm(voted, from, { _tag: "RequestVoteReply", term: voted.currentTerm, granted }, emit)
  return voted
}

/** The voter lets the candidate have its try: it waits a full timeout before it stands itself (section 5.2). */
const grantVote = (state: NodeState, candidate: NodeId, stamp: Stamp, emit: Emit): NodeState => {
  const voted = Durable.setTermAndVote(state, state.currentTerm, candidate, emit)
  const waiting =
    voted.role._tag === "Follower"
      ? voted.role
      : Following.becomeFollower(voted, { term: voted.currentTerm, leader: null }, stamp, emit).role
  return { ...voted, role: { ...waiting, electionDeadlineMillis: electionDeadline(state, stamp) } }
}

export const onPreVoteReply = (
  state: NodeState,
  from: NodeId,
  message: PreVoteReply,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { role } = state
  // An answer to a question of an earlier term says nothing any more.
  if (role._tag !== "PreCandidate" || message.requestedTerm !== Term.next(state.currentTerm)) return state
  const votes = new Map(role.votes).set(from, message.granted)
  return countPreVotes({ ...state, role: { ...role, votes } }, stamp, emit)
}

const countPreVotes = (state: NodeState, stamp: Stamp, emit: Emit): NodeState =>
  state.role._tag === "PreCandidate" &&
  Quorum.tally(Membership.votingSets(state.membership), state.role.votes) === "Won"
    ? becomeCandidate(state, { leadershipTransfer: false }, stamp, emit)
    : state

export const onRequestVoteReply = (
  state: NodeState,
  from: NodeId,
  message: RequestVoteReply,
  stamp: Stamp,
  emit: Emit
): NodeState => countVote(state, from, message.granted, stamp, emit)

const countVote = (
  state: NodeState,
  voter: NodeId,
  granted: boolean,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { role } = state
  if (role._tag !== "Candidate") return state
  const votes = new Map(role.votes).set(voter, granted)
  const counted: NodeState = { ...state, role: { ...role, votes } }
  return Quorum.tally(Membership.votingSets(state.membership), votes) === "Won"
    ? Replication.beginTerm(counted, stamp, emit)
    : counted
}
