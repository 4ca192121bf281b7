/**
 * The one door into the rules: `step(state, event, stamp)` gives the next state and what is to be done.
 *
 * Nothing is decided here. The term gate comes first, for every message alike (paper, section 5.1); then
 * each event goes to the file of its topic.
 */
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { Action, Emit } from "./Action.ts"
import * as CheckQuorum from "./CheckQuorum.ts"
import * as Commitment from "./Commitment.ts"
import * as Durable from "./Durable.ts"
import * as Election from "./Election.ts"
import type { Event, Persisted } from "./Event.ts"
import * as FirstElection from "./FirstElection.ts"
import * as Following from "./Following.ts"
import * as HungDisk from "./HungDisk.ts"
import * as LeadershipTransfer from "./LeadershipTransfer.ts"
import * as Lease from "./Lease.ts"
import * as LogMatching from "./LogMatching.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import * as ReadIndex from "./ReadIndex.ts"
import * as Reconfiguration from "./Reconfiguration.ts"
import * as Replication from "./Replication.ts"
import * as Rounds from "./Rounds.ts"
import * as Snapshotting from "./Snapshotting.ts"

/** The outcome of one event. Actions are in the order in which they must be carried out. */
export interface Step {
  readonly state: NodeState
  readonly actions: ReadonlyArray<Action>
}

/** Decides everything that the paper decides. Pure: same arguments, same outcome. */
export const step = (state: NodeState, event: Event, stamp: Stamp): Step => {
  const actions: Array<Action> = []
  const next = apply(state, event, stamp, (action) => {
    actions.push(action)
  })
  return { state: next, actions }
}

/** As {@link step}, for a caller that collects the actions of many events. */
export const apply = (state: NodeState, event: Event, stamp: Stamp, emit: Emit): NodeState => {
  const next = onEvent(state, event, stamp, emit)
  const committed =
    next.commitIndex === state.commitIndex
      ? next
      : Reconfiguration.onCommitted(state.commitIndex, next, stamp, emit)
  return LeadershipTransfer.proceed(committed, emit)
}

const onEvent = (state: NodeState, event: Event, stamp: Stamp, emit: Emit): NodeState => {
  switch (event._tag) {
    case "Received":
      return onReceived(state, event.from, event.message, stamp, emit)
    case "ElectionDue":
      return Election.onElectionDue(state, stamp, emit)
    case "HeartbeatDue":
      return onHeartbeatDue(state, stamp, emit)
    case "Proposed":
      return Replication.onProposed(state, event.drafts, stamp, emit)
    case "ReadsRequested":
      return ReadIndex.onReadsRequested(state, event, stamp, emit)
    case "MembershipRequested":
      return Reconfiguration.onRequested(state, event, stamp, emit)
    case "TransferRequested":
      return LeadershipTransfer.onRequested(state, event, stamp, emit)
    case "ReadRetryDue":
      return ReadIndex.onRetryDue(state, stamp, emit)
    case "Persisted":
      return onPersisted(state, event, stamp, emit)
    case "PeerLost":
      return Replication.onPeerLost(Election.onPeerLost(state, event.peer, stamp, emit), event.peer)
    case "PeersFound":
      return FirstElection.onPeersFound(state, event.peers, stamp)
    case "SnapshotTaken":
      return Snapshotting.onSnapshotTaken(state, event.snapshot, stamp, emit)
    case "SnapshotReceived":
      return Snapshotting.onSnapshotReceived(state, event.from, event.snapshot, emit)
  }
}

const onHeartbeatDue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const leading = HungDisk.onHeartbeatDue(CheckQuorum.onHeartbeatDue(state, stamp, emit), stamp, emit)
  const asking = Rounds.beginWithHeartbeat(leading)
  const handingOver = LeadershipTransfer.onHeartbeatDue(Lease.onRoundBegun(asking, stamp), stamp, emit)
  return ReadIndex.dropOverdue(Reconfiguration.onHeartbeatDue(handingOver, stamp, emit), stamp, emit)
}

const onPersisted = (state: NodeState, event: Persisted, stamp: Stamp, emit: Emit): NodeState => {
  const durable = Durable.persisted(state, event)
  const voted = Election.onOwnVoteDurable(durable, stamp, emit)
  return ReadIndex.settle(Commitment.advance(voted), emit)
}

const onReceived = (
  state: NodeState,
  from: NodeId,
  message: RaftMessage,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const gated = termGate(state, from, message, stamp, emit)
  return gated === undefined ? state : onMessage(gated, from, message, stamp, emit)
}

/**
 * "If one server's current term is smaller than the other's, it updates its current term. If a server
 * receives a request with a stale term number, it rejects the request." (section 5.1)
 *
 * Gives the state in which to go on with the message, or `undefined` when it is done with.
 */
const termGate = (
  state: NodeState,
  from: NodeId,
  message: RaftMessage,
  stamp: Stamp,
  emit: Emit
): NodeState | undefined => {
  // A pre-vote names a term that nobody is in yet; it moves no one (thesis, section 9.6).
  if (message._tag === "PreVote") return state
  // It is granted from any earlier term: what counts is the term that was asked for.
  if (message._tag === "PreVoteReply" && message.granted) return state
  if (message.term === state.currentTerm) return state
  if (message.term < state.currentTerm) {
    refuseStale(state, from, message, emit)
    return undefined
  }
  if (
    message._tag === "RequestVote" &&
    !message.leadershipTransfer &&
    Election.protectsLeader(state, stamp)
  ) {
    return undefined
  }
  const isFromLeader =
    message._tag === "AppendEntries" || message._tag === "CommitNotice" || message._tag === "InstallSnapshot"
  const leader = isFromLeader ? from : null
  return Following.becomeFollower(state, { term: message.term, leader }, stamp, emit)
}

/**
 * Requests of an old term are refused, so that the sender learns the new one; old replies are dropped. A
 * refusal must not look like the answer to a request of the new term, which the sender may lead by now: a
 * round of the old term that it echoed would confirm reads that nobody has confirmed (section 8).
 */
const refuseStale = (state: NodeState, from: NodeId, message: RaftMessage, emit: Emit): void => {
  switch (message._tag) {
    case "RequestVote":
    case "AppendEntries":
    case "InstallSnapshot":
      return Durable.sendInTerm(state, from, { _tag: "StaleTerm", term: state.currentTerm }, emit)
    default:
      return undefined
  }
}

const onMessage = (
  state: NodeState,
  from: NodeId,
  message: RaftMessage,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  switch (message._tag) {
    case "PreVote":
      return Election.onPreVote(state, from, message, stamp, emit)
    case "PreVoteReply":
      return Election.onPreVoteReply(state, from, message, stamp, emit)
    case "RequestVote":
      return Election.onRequestVote(state, from, message, stamp, emit)
    case "RequestVoteReply":
      return Election.onRequestVoteReply(state, from, message, stamp, emit)
    case "AppendEntries":
      return LogMatching.onAppendEntries(state, from, message, stamp, emit)
    case "CommitNotice":
      return LogMatching.onCommitNotice(state, from, message, stamp, emit)
    case "AppendAccepted":
      return Replication.onAccepted(state, from, message, stamp, emit)
    case "AppendRejected":
      return Replication.onRejected(state, from, message, stamp, emit)
    case "TimeoutNow":
      return LeadershipTransfer.onTimeoutNow(state, from, message, stamp, emit)
    case "ReadIndex":
      return ReadIndex.onReadIndex(state, from, message, stamp, emit)
    case "ReadIndexReply":
      return ReadIndex.onReadIndexReply(state, message, emit)
    case "InstallSnapshot":
      return Snapshotting.onInstallSnapshot(state, from, message, stamp, emit)
    case "InstallSnapshotReply":
      return Snapshotting.onInstallReply(state, from, message, stamp, emit)
    case "StaleTerm":
    case "ForwardProposals":
    case "ForwardReply":
      // These only bring their term; what is forwarded is carried by the node itself.
      return state
  }
}
