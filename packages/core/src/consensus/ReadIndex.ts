/**
 * Linearizable reads without the log (paper, section 8; thesis, section 6.4).
 *
 * The leader notes its commit index, makes sure that it still is the leader, and lets the read run on
 * any state that has applied so far. "Still the leader" is a round (see Rounds): once a quorum has answered
 * one, all reads that were asked before it went out are good. Reads that arrive together share a round. A
 * follower asks the leader for an index and reads its own state.
 */
import * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { ReadIndex, ReadIndexReply } from "../RaftMessage.ts"
import type { Emit } from "./Action.ts"
import type { ReadsRequested } from "./Event.ts"
import * as Commitment from "./Commitment.ts"
import * as Lease from "./Lease.ts"
import type { Leader, NodeState, Stamp } from "./NodeState.ts"
import * as Rounds from "./Rounds.ts"

/** Who waits: calls on this node, or a follower that asked for them. */
export type Reader =
  | { readonly _tag: "Local"; readonly readIds: ReadonlyArray<number> }
  | { readonly _tag: "Remote"; readonly from: NodeId; readonly requestId: number }

/** Reads at a leader. `round` is 0 while they wait for the first commit of its term. */
export interface PendingRead {
  readonly reader: Reader
  readonly askedMillis: number
  readonly readIndex: LogIndex.LogIndex
  readonly round: number
}

/** Reads at a follower, and the question it asked for them. */
export interface ReadRequest {
  readonly requestId: number
  readonly askedMillis: number
  readonly readIds: ReadonlyArray<number>
}

/** Clients of this node want to read. */
export const onReadsRequested = (
  state: NodeState,
  { readIds, byLease }: Omit<ReadsRequested, "_tag">,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { role } = state
  if (role._tag === "Leader" && byLease === true && Lease.isHeld(state, role, stamp)) {
    emit({ _tag: "ReadsConfirmed", readIds, readIndex: state.commitIndex, byLease })
    return state
  }
  if (role._tag === "Leader") return begin(state, role, { _tag: "Local", readIds }, stamp, emit)
  if (role._tag !== "Follower" || role.leader === null) {
    emit({ _tag: "ReadsRefused", readIds })
    return state
  }
  const request: ReadRequest = { requestId: state.nextRequestId, askedMillis: stamp.nowMillis, readIds }
  ask(state, role.leader, request, emit)
  return {
    ...state,
    nextRequestId: state.nextRequestId + 1,
    role: { ...role, reads: [...role.reads, request] }
  }
}

const ask = (state: NodeState, leader: NodeId, request: ReadRequest, emit: Emit): void =>
  emit({
    _tag: "SendNow",
    to: leader,
    message: { _tag: "ReadIndex", term: state.currentTerm, requestId: request.requestId }
  })

/** Questions or answers may have been lost: ask again, but not for ever. */
export const onRetryDue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Follower" || role.leader === null) return state
  const reads = role.reads.filter((read) => !isOverdue(state, read, stamp))
  for (const read of role.reads)
    if (!reads.includes(read)) emit({ _tag: "ReadsRefused", readIds: read.readIds })
  for (const read of reads) ask(state, role.leader, read, emit)
  return { ...state, role: { ...role, reads } }
}

/** A leader gives up reads that no quorum confirms; without CheckQuorum nothing else would end them. */
export const dropOverdue = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Leader") return state
  const reads = role.reads.filter((read) => !isOverdue(state, read, stamp))
  if (reads.length === role.reads.length) return state
  for (const read of role.reads) {
    if (read.reader._tag === "Local" && !reads.includes(read)) {
      emit({ _tag: "ReadsRefused", readIds: read.reader.readIds })
    }
  }
  return { ...state, role: { ...role, reads } }
}

const isOverdue = (state: NodeState, read: { readonly askedMillis: number }, stamp: Stamp): boolean =>
  stamp.nowMillis - read.askedMillis >= state.config.requestTimeoutMillis

/** A follower asks. Only the leader of the term that the question names may answer. */
export const onReadIndex = (
  state: NodeState,
  from: NodeId,
  message: ReadIndex,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { role } = state
  if (role._tag !== "Leader") return state
  const isAsked = role.reads.some(
    ({ reader }) => reader._tag === "Remote" && reader.from === from && reader.requestId === message.requestId
  )
  const reader: Reader = { _tag: "Remote", from, requestId: message.requestId }
  return isAsked ? state : begin(state, role, reader, stamp, emit)
}

const begin = (state: NodeState, role: Leader, reader: Reader, stamp: Stamp, emit: Emit): NodeState => {
  const read: PendingRead = { reader, askedMillis: stamp.nowMillis, readIndex: LogIndex.zero, round: 0 }
  return settle({ ...state, role: { ...role, reads: [...role.reads, read] } }, emit)
}

/** Moves reads on as far as they can go. To be called when the commit index or an acknowledged round moved. */
export const settle = (state: NodeState, emit: Emit): NodeState => {
  const { role } = state
  return role._tag !== "Leader" || role.reads.length === 0 ? state : confirm(startRound(state, role), emit)
}

/**
 * Gives the reads that are new their index and a round. A new leader does not know what is committed
 * until an entry of its own term is (section 8), so its first reads wait for that.
 */
const startRound = (state: NodeState, role: Leader): NodeState => {
  if (state.commitIndex < role.termStartIndex || role.reads.every((read) => read.round > 0)) return state
  // The newest round is the one that peers are asked for, so it has to do for all who wait.
  const [asker, ...others] = new Set(role.reads.map(askerOf))
  const asking = Rounds.begin(state, role, others.length === 0 ? asker : undefined)
  const reads = role.reads.map((read) =>
    read.round > 0 ? read : { ...read, readIndex: state.commitIndex, round: asking.round }
  )
  return { ...state, role: { ...asking, reads } }
}

/** Answers the reads whose round a quorum has answered. */
const confirm = (state: NodeState, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Leader") return state
  const byAll = Rounds.answered(state, role, undefined)
  const answeredFor = (asker: NodeId | undefined) =>
    asker === undefined ? byAll : Rounds.answered(state, role, asker)
  const isConfirmed = (read: PendingRead) => read.round > 0 && read.round <= answeredFor(askerOf(read))
  const reads = role.reads.filter((read) => !isConfirmed(read))
  if (reads.length === role.reads.length) return state
  for (const read of role.reads) if (isConfirmed(read)) answer(state, read, emit)
  return { ...state, role: { ...role, reads } }
}

/**
 * The follower that asks. Its question speaks for its own reads as an answer to their round does, but for nobody
 * else's: it may have been long on its way.
 */
const askerOf = ({ reader }: PendingRead): NodeId | undefined =>
  reader._tag === "Remote" ? reader.from : undefined

const answer = (state: NodeState, read: PendingRead, emit: Emit): void => {
  const { reader, readIndex } = read
  if (reader._tag === "Local") return emit({ _tag: "ReadsConfirmed", readIds: reader.readIds, readIndex })
  emit({
    _tag: "SendNow",
    to: reader.from,
    message: { _tag: "ReadIndexReply", term: state.currentTerm, requestId: reader.requestId, readIndex }
  })
}

/** The leader answers. What it calls committed, and was verified here, is committed here too. */
export const onReadIndexReply = (state: NodeState, message: ReadIndexReply, emit: Emit): NodeState => {
  const { role } = state
  if (role._tag !== "Follower") return state
  const request = role.reads.find((read) => read.requestId === message.requestId)
  if (request === undefined) return state
  emit({ _tag: "ReadsConfirmed", readIds: request.readIds, readIndex: message.readIndex })
  const answered: NodeState = {
    ...state,
    role: { ...role, reads: role.reads.filter((read) => read !== request) }
  }
  return Commitment.learn(answered, message.readIndex, role.verifiedIndex)
}

/** The role ends: nobody will confirm the reads that wait on it. Remote ones will ask again. */
export const refuseAll = (state: NodeState, emit: Emit): void => {
  const { role } = state
  const readIds =
    role._tag === "Follower"
      ? role.reads.flatMap((read) => read.readIds)
      : role._tag === "Leader"
        ? role.reads.flatMap((read) => (read.reader._tag === "Local" ? read.reader.readIds : []))
        : []
  if (readIds.length > 0) emit({ _tag: "ReadsRefused", readIds })
}
