/**
 * Snapshots and compaction (paper, section 7).
 *
 * A node that has a durable snapshot may let its log begin after it. A leader that no longer has what a
 * peer needs sends its snapshot instead. A follower puts it in the place of its log, unless it knows
 * better: what is committed is never replaced.
 *
 * Sending is not decided here message by message: a fiber per peer reads the snapshot piece by piece, asks
 * {@link standingOf} how far the peer has got, and SnapshotWindow how far ahead of that it may be.
 */
import * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { InstallSnapshot, InstallSnapshotReply } from "../RaftMessage.ts"
import type { LogBase } from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { Emit } from "./Action.ts"
import * as Commitment from "./Commitment.ts"
import * as Compaction from "./Compaction.ts"
import * as Configurations from "./Configurations.ts"
import * as Durable from "./Durable.ts"
import * as Following from "./Following.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import { leaderOf } from "./NodeState.ts"
import * as Progress from "./Progress.ts"
import * as RaftLog from "./RaftLog.ts"
import * as ReadIndex from "./ReadIndex.ts"
import type * as SnapshotWindow from "./SnapshotWindow.ts"

/**
 * Brings the log of a node that starts in line with its snapshot. A crash may have come between a snapshot
 * and the log that begins after it: then the log ends before the snapshot, or goes on from an entry that
 * the snapshot replaces.
 */
export const reconcile = (state: NodeState, emit: Emit): NodeState => {
  const { log, snapshot } = state
  if (snapshot === undefined || snapshot.lastIndex < log.base.index) return state
  const base: LogBase = { index: snapshot.lastIndex, term: snapshot.lastTerm }
  if (RaftLog.termAt(log, base.index) === base.term) return state
  if (state.commitIndex > base.index) {
    throw new Error(
      `The snapshot replaces the entry at ${base.index}, which is committed (State Machine Safety)`
    )
  }
  const emptied = Durable.setLogBase(state, RaftLog.empty(base), LogIndex.plus(log.base.index, 1), emit)
  return Durable.withConfigurations(emptied, Configurations.beginning(state.configurations.first))
}

/** An own snapshot is durable: the log may begin later (see Compaction for how much of it goes). */
export const onSnapshotTaken = (
  state: NodeState,
  snapshot: SnapshotMeta,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  if (snapshot.lastIndex <= (state.snapshot?.lastIndex ?? LogIndex.zero)) return state
  if (snapshot.lastIndex > state.commitIndex) {
    throw new Error(`A snapshot covers ${snapshot.lastIndex}, which is not committed (State Machine Safety)`)
  }
  const known: NodeState = { ...state, snapshot }
  const index = Compaction.lastToDrop(known, { former: state.snapshot, snapshot }, stamp)
  return index <= known.log.base.index ? known : compact(known, index, emit)
}

const compact = (state: NodeState, index: LogIndex.LogIndex, emit: Emit): NodeState => {
  const log = RaftLog.compactTo(state.log, index)
  const based = Durable.setLogBase(state, log, undefined, emit)
  return { ...based, configurations: Configurations.compactTo(based.configurations, index) }
}

/** The leader sends a piece (figure 13). A follower that receives one does not campaign. */
export const onInstallSnapshot = (
  state: NodeState,
  from: NodeId,
  message: InstallSnapshot,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const following = Following.hearLeader(state, from, stamp, emit)
  const { lastIndex, id } = message.snapshot
  if (lastIndex > following.commitIndex) {
    emit({ _tag: "KeepSnapshotPiece", from, piece: message })
    return following
  }
  // It has all that already. Only what is durable may be promised.
  const matchIndex = LogIndex.min(lastIndex, following.durability.index)
  if (matchIndex === lastIndex) {
    tell(
      following,
      from,
      { snapshotId: id, offset: message.sizeBytes, matchIndex },
      following.durability.hardState,
      emit
    )
  }
  return following
}

/**
 * What a follower that lacks a part of a snapshot tells the leader that sends it: which byte it wants next. Nothing
 * while its term is not durable, and to nobody but its leader; if it is not said, the leader sends again.
 */
export const progressReply = (
  state: NodeState,
  leader: NodeId,
  snapshotId: string,
  offset: number
): InstallSnapshotReply | undefined => {
  const { hardState, persisted } = state.durability
  if (leaderOf(state) !== leader || hardState > persisted) return undefined
  const term = state.currentTerm
  return { _tag: "InstallSnapshotReply", term, snapshotId, offset, matchIndex: LogIndex.zero }
}

const tell = (
  state: NodeState,
  to: NodeId,
  news: Omit<InstallSnapshotReply, "_tag" | "term">,
  ticket: number,
  emit: Emit
): void =>
  Durable.sendAfter(
    state,
    ticket,
    to,
    { _tag: "InstallSnapshotReply", term: state.currentTerm, ...news },
    emit
  )

/**
 * A received snapshot is whole and durable. It replaces the log, except for what follows an entry with
 * the same index and term (figure 13, step 6), and never anything committed.
 */
export const onSnapshotReceived = (
  state: NodeState,
  from: NodeId,
  snapshot: SnapshotMeta,
  emit: Emit
): NodeState => {
  const { lastIndex, lastTerm, membership } = snapshot
  if (lastIndex <= (state.snapshot?.lastIndex ?? LogIndex.zero)) return state
  if (lastIndex <= state.commitIndex) return { ...state, snapshot }
  const isInLog = RaftLog.termAt(state.log, lastIndex) === lastTerm
  const log = isInLog
    ? RaftLog.compactTo(state.log, lastIndex)
    : RaftLog.empty({ index: lastIndex, term: lastTerm })
  const cutFrom = isInLog ? undefined : LogIndex.plus(state.log.base.index, 1)
  const based = Durable.setLogBase(state, log, cutFrom, emit)
  const first = { index: lastIndex, membership }
  const kept = RaftLog.blocksBetween(log, LogIndex.plus(lastIndex, 1), log.lastIndex)
  const installed = Durable.withConfigurations(
    { ...based, snapshot, commitIndex: lastIndex },
    Configurations.fromBlocks(first, kept)
  )
  emit({ _tag: "RestoreMachine", snapshot })
  tell(
    installed,
    from,
    { snapshotId: snapshot.id, offset: 0, matchIndex: lastIndex },
    based.durability.issued,
    emit
  )
  return installed
}

/** A peer tells how far it got. An installed snapshot counts like accepted entries. */
export const onInstallReply = (
  state: NodeState,
  from: NodeId,
  message: InstallSnapshotReply,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const { role } = state
  const known = role._tag === "Leader" ? role.progress.get(from) : undefined
  if (role._tag !== "Leader" || known === undefined) return state
  const heard = Progress.contacted(known, stamp.nowMillis, known.ackedRound)
  const { matchIndex, offset, snapshotId } = message
  const progress =
    matchIndex > 0
      ? {
          ...Progress.accepted(heard, LogIndex.min(matchIndex, state.log.lastIndex)),
          // Should it ever need the same one again, then because it has lost it.
          transfer: { snapshotId, offset: 0 }
        }
      : { ...heard, transfer: { snapshotId, offset } }
  const told: NodeState = {
    ...state,
    role: { ...role, progress: role.progress.with(from, progress) }
  }
  return ReadIndex.settle(Commitment.advance(told), emit)
}

/**
 * How much of `snapshot` the peer has, and when it was heard; `undefined` when it needs no more of it, or nothing
 * from this node.
 */
export const standingOf = (
  state: NodeState,
  peer: NodeId,
  snapshot: SnapshotMeta
): SnapshotWindow.Standing | undefined => {
  const progress = state.role._tag === "Leader" ? state.role.progress.get(peer) : undefined
  if (progress === undefined || progress.matchIndex >= snapshot.lastIndex) return undefined
  const { contactMillis, isLost, transfer } = progress
  return { offset: transfer?.snapshotId === snapshot.id ? transfer.offset : 0, contactMillis, isLost }
}

/** The log has lost what follows `snapshot`: whoever installs it needs the next one at once. */
export const isOutdated = ({ log }: NodeState, snapshot: SnapshotMeta): boolean =>
  snapshot.lastIndex < log.base.index
