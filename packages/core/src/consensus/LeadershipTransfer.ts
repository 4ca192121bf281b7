/**
 * Handing the office over (thesis, section 3.10).
 *
 * The leader takes no more commands, brings one follower's log up to its own, and when all of that is
 * committed tells it to stand for election at once. That one wins, unless something breaks; the others do not
 * protect the old leader against it, because the old leader itself asked for this. If it is not done within
 * an election timeout the leader gives up and takes commands again.
 */
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { TimeoutNow } from "../RaftMessage.ts"
import type { Emit, TransferRefusal } from "./Action.ts"
import * as Election from "./Election.ts"
import type { Leader, NodeState, Stamp } from "./NodeState.ts"
import { otherVoters } from "./NodeState.ts"

/** An office on its way to another node. */
export interface Transfer {
  readonly requestId: number
  readonly to: NodeId
  readonly deadlineMillis: number
  /** With which heartbeat the other was last told to stand for election; -1 before that. */
  readonly urgedBeat: number
}

/** Somebody wants another leader: `to`, or, where that is `null`, whoever is best. */
export const onRequested = (
  state: NodeState,
  request: { readonly requestId: number; readonly to: NodeId | null },
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { requestId } = request
  const { role } = state
  const to = request.to ?? bestSuccessor(state, stamp)
  const because = refusal(state, to)
  if (because !== undefined || to === undefined || role._tag !== "Leader") {
    emit({ _tag: "TransferRefused", requestId, because: because ?? "NoSuccessor" })
    return state
  }
  emit({ _tag: "TransferBegun", requestId, to })
  const deadlineMillis = stamp.nowMillis + state.config.electionTimeoutMillis
  const transfer: Transfer = { requestId, to, deadlineMillis, urgedBeat: -1 }
  return { ...state, role: { ...role, transfer } }
}

const refusal = (state: NodeState, to: NodeId | undefined): TransferRefusal | undefined => {
  const { role } = state
  if (role._tag !== "Leader") return "NotLeader"
  if (role.transfer !== undefined) return "InProgress"
  if (to === undefined) return "NoSuccessor"
  if (to === state.self) return "AlreadyLeader"
  return Membership.isVoter(state.membership, to) ? undefined : "NotAVoter"
}

/** The voter that has most of the log, of those that answer; `undefined` where nobody does. */
export const bestSuccessor = (state: NodeState, stamp: Stamp): NodeId | undefined => {
  const { role } = state
  if (role._tag !== "Leader") return undefined
  let best: { readonly voter: NodeId; readonly matchIndex: number } | undefined
  for (const voter of otherVoters(state)) {
    const progress = role.progress.get(voter)
    if (progress === undefined || progress.isLost || progress.matchIndex === 0) continue
    if (stamp.nowMillis - progress.contactMillis >= state.config.electionTimeoutMillis) continue
    if (best === undefined || progress.matchIndex > best.matchIndex)
      best = { voter, matchIndex: progress.matchIndex }
  }
  return best?.voter
}

/**
 * After every event: tells the successor to stand for election, as soon as it has the whole log and all of that
 * is committed: so it can win, and no command is left in doubt. Again with each heartbeat, for it may be lost.
 */
export const proceed = (state: NodeState, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Leader" || role.transfer === undefined) return state
  const { to, urgedBeat } = role.transfer
  const isReady =
    role.progress.get(to)?.matchIndex === state.log.lastIndex && state.commitIndex === state.log.lastIndex
  return isReady && urgedBeat < role.beat ? urge(state, role, role.transfer, emit) : state
}

const urge = (state: NodeState, role: Leader, transfer: Transfer, emit: Emit): NodeState => {
  emit({ _tag: "SendNow", to: transfer.to, message: { _tag: "TimeoutNow", term: state.currentTerm } })
  return { ...state, role: { ...role, transfer: { ...transfer, urgedBeat: role.beat }, hasUrged: true } }
}

/** Gives up with the last heartbeat before the deadline: commands never wait longer than an election timeout. */
export const onHeartbeatDue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const { role, config } = state
  if (role._tag !== "Leader" || role.transfer === undefined) return state
  const isLast = stamp.nowMillis + config.heartbeatIntervalMillis > role.transfer.deadlineMillis
  return isLast ? giveUp(state, role, role.transfer, emit) : state
}

const giveUp = (state: NodeState, role: Leader, { requestId, to }: Transfer, emit: Emit): NodeState => {
  emit({ _tag: "TransferAbandoned", requestId, to })
  return { ...state, role: { ...role, transfer: undefined } }
}

/** The leader asks this node to take over, without waiting and without asking who would vote for it. */
export const onTimeoutNow = (
  state: NodeState,
  from: NodeId,
  _message: TimeoutNow,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { role } = state
  if (role._tag !== "Follower" || role.leader !== from || !Election.mayStand(state)) return state
  return Election.becomeCandidate(state, { leadershipTransfer: true }, stamp, emit)
}

/**
 * A leader that is about to leave tells whoever has all that is committed to take over. It does not wait for
 * what comes of it.
 */
export const appointSuccessor = (state: NodeState, stamp: Stamp, emit: Emit): void => {
  const to = bestSuccessor(state, stamp)
  const { role } = state
  if (role._tag !== "Leader" || to === undefined) return
  if ((role.progress.get(to)?.matchIndex ?? 0) < state.commitIndex) return
  emit({ _tag: "SendNow", to, message: { _tag: "TimeoutNow", term: state.currentTerm } })
}
