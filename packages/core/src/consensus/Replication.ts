/**
 * The leader's half of replication (paper, section 5.3): what to send to whom, and what to make of the
 * answers.
 *
 * The rules own a `Progress` for each peer. How far a peer's replicator has sent ahead is a `Cursor`,
 * which only that replicator holds; it looks at the published state, asks {@link nextAppend} what to
 * send, and keeps the cursor that comes back.
 */
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { AppendAccepted, AppendEntries, AppendRejected, CommitNotice } from "../RaftMessage.ts"
import * as Term from "../Term.ts"
import type { Emit } from "./Action.ts"
import * as Commitment from "./Commitment.ts"
import * as Durable from "./Durable.ts"
import * as Lease from "./Lease.ts"
import * as LogClock from "./LogClock.ts"
import type { Leader, Leading, NodeState, Stamp } from "./NodeState.ts"
import { isLeading, peersOf } from "./NodeState.ts"
import { PeerProgress } from "./PeerProgress.ts"
import * as Progress from "./Progress.ts"
import * as RaftLog from "./RaftLog.ts"
import * as ReadIndex from "./ReadIndex.ts"
import * as Rounds from "./Rounds.ts"

/**
 * A candidate has won. It knows nothing of the others' logs, and cannot commit what it inherits until an
 * entry of its own term is committed (section 5.4.2), so its first entry is a no-op (section 8).
 */
export const beginTerm = (state: NodeState, stamp: Stamp, emit: Emit): NodeState => {
  const noOpIndex = LogIndex.plus(state.log.lastIndex, 1)
  const progress = Progress.initial({ nextIndex: noOpIndex, nowMillis: stamp.nowMillis })
  const leading: Leading = {
    ...state,
    role: {
      _tag: "Leader",
      termStartIndex: noOpIndex,
      progress: PeerProgress.of(peersOf(state), progress),
      settledIndex: LogIndex.zero,
      transfer: undefined,
      hasUrged: false,
      roundStarts: [],
      beat: 0,
      beatMillis: stamp.nowMillis,
      beatTimeMillis: LogClock.atTermStart(state, stamp),
      disk: { persisted: state.durability.persisted, sinceMillis: stamp.nowMillis },
      round: 0,
      answeredRound: 0,
      quickest: [],
      asked: undefined,
      reads: []
    }
  }
  return appendDrafts(leading, [{ kind: "NoOp", payload: new Uint8Array(0) }], stamp, emit)
}

/** Adds entries of the present term to a leader's log. */
export const appendDrafts = (
  state: Leading,
  drafts: ReadonlyArray<LogEntry.Draft>,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const block = LogEntry.encodeBlock(drafts, {
    firstIndex: LogIndex.plus(state.log.lastIndex, 1),
    term: state.currentTerm,
    timestampMillis: LogClock.nextTimestampMillis(state, stamp),
    ...(state.memory.take !== undefined && { take: state.memory.take })
  })
  return Durable.appendBlocks(state, [block], undefined, emit)
}

/** Clients' commands. Taken all or none; a turn's worth may pass `maxUncommittedBytes`, not more. */
export const onProposed = (
  state: NodeState,
  drafts: ReadonlyArray<LogEntry.Draft>,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  if (!isLeading(state)) {
    emit({ _tag: "ProposalsRefused", because: "NotLeader" })
    return state
  }
  if (state.role.transfer !== undefined) {
    emit({ _tag: "ProposalsRefused", because: "Transferring" })
    return state
  }
  const uncommitted = RaftLog.bytesBetween(
    state.log,
    LogIndex.plus(state.commitIndex, 1),
    state.log.lastIndex
  )
  if (uncommitted >= state.config.maxUncommittedBytes) {
    emit({ _tag: "ProposalsRefused", because: "TooMuchUncommitted" })
    return state
  }
  emit({
    _tag: "ProposalsAppended",
    firstIndex: LogIndex.plus(state.log.lastIndex, 1),
    term: state.currentTerm
  })
  return appendDrafts(state, drafts, stamp, emit)
}

/** A peer holds the leader's log, durably, up to `matchIndex`. */
export const onAccepted = (
  state: NodeState,
  from: NodeId,
  message: AppendAccepted,
  stamp: Stamp,
  emit: Emit
): NodeState =>
  onAnswer(state, from, message.round, stamp, emit, (progress) =>
    Progress.accepted(progress, LogIndex.min(message.matchIndex, state.log.lastIndex))
  )

/** A peer's log is not the leader's at `prevLogIndex`. Back off by a whole term (section 5.3, end). */
export const onRejected = (
  state: NodeState,
  from: NodeId,
  message: AppendRejected,
  stamp: Stamp,
  emit: Emit
): NodeState =>
  onAnswer(state, from, message.round, stamp, emit, (progress) => {
    if (Progress.hasForgotten(progress, message.prevLogIndex)) {
      emit({ _tag: "PeerForgot", peer: from, acknowledged: progress.matchIndex })
      return Progress.forgotten(progress, nextIndexAfter(state, message))
    }
    return Progress.isNews(progress, message.prevLogIndex)
      ? Progress.refused(progress, nextIndexAfter(state, message))
      : progress
  })

/** The connection with a peer broke. A leader looks anew for the point where their logs agree. */
export const onPeerLost = (state: NodeState, peer: NodeId): NodeState => {
  const { role } = state
  const known = role._tag === "Leader" ? role.progress.get(peer) : undefined
  if (role._tag !== "Leader" || known === undefined) return state
  const remaining = Rounds.onPeerLost(role, peer)
  return { ...state, role: { ...remaining, progress: role.progress.with(peer, Progress.lost(known)) } }
}

/**
 * Where to try next. The peer's entries of `conflictTerm` begin at `conflictIndex`; the leader's entries
 * of that term, or of an earlier one, end at some index. Both logs may agree up to there.
 */
const nextIndexAfter = (state: NodeState, message: AppendRejected): LogIndex.LogIndex => {
  if (message.conflictTerm === 0) return LogIndex.min(message.conflictIndex, message.prevLogIndex)
  const before = LogIndex.plus(message.prevLogIndex, -1)
  const last = RaftLog.lastIndexUpToTerm(state.log, before, message.conflictTerm)
  return RaftLog.termAt(state.log, last) === message.conflictTerm
    ? LogIndex.plus(last, 1)
    : LogIndex.min(message.conflictIndex, message.prevLogIndex)
}

const onAnswer = (
  state: NodeState,
  from: NodeId,
  round: number,
  stamp: Stamp,
  emit: Emit,
  change: (progress: Progress.Progress) => Progress.Progress
): NodeState => {
  const { role } = state
  const known = role._tag === "Leader" ? role.progress.get(from) : undefined
  if (role._tag !== "Leader" || known === undefined) return state
  const contacted = Progress.contacted(known, stamp.nowMillis, round)
  const progress = change(state.config.leaseReads ? Lease.confirm(role, contacted, round) : contacted)
  const told: NodeState = { ...state, role: { ...role, progress: role.progress.with(from, progress) } }
  const answered = Rounds.onAnswered(told, round)
  const isFurther = progress.matchIndex > LogIndex.max(known.matchIndex, state.commitIndex)
  const advanced = isFurther ? Commitment.advance(answered) : answered
  return ReadIndex.settle(advanced, emit)
}

/** How far a replicator has sent. */
export interface Cursor {
  readonly memberSince: LogIndex.LogIndex
  readonly epoch: number
  /** The next index to send. */
  readonly nextIndex: LogIndex.LogIndex
  /** While probing: whether the one message that is allowed is on its way. */
  readonly hasProbed: boolean
  readonly beat: number
  readonly round: number
  /** The commit index that the peer was last told. */
  readonly commitIndex: LogIndex.LogIndex
}

/** A replicator that has sent nothing yet. */
export const initialCursor: Cursor = {
  memberSince: LogIndex.zero,
  epoch: -1,
  nextIndex: LogIndex.zero,
  hasProbed: false,
  beat: -1,
  round: 0,
  commitIndex: LogIndex.zero
}

/**
 * The next message for `peer`, and the cursor after it; `undefined` when nothing is to be said now. Call
 * it again until then.
 */
export const nextAppend = (
  state: NodeState,
  peer: NodeId,
  before: Cursor
): { readonly message: AppendEntries | CommitNotice; readonly cursor: Cursor } | undefined => {
  const { role } = state
  const progress = role._tag === "Leader" ? role.progress.get(peer) : undefined
  if (role._tag !== "Leader" || progress === undefined) return undefined
  const cursor = catchUp(before, progress)
  const isDue = role.beat > cursor.beat || (role.round > cursor.round && Rounds.asksNow(role, peer))
  if (isBehindLog(state, cursor)) {
    return isDue
      ? { message: bareHeartbeat(state, role), cursor: sent(state, role, progress, cursor, []) }
      : undefined
  }
  const blocks = entriesToSend(state, progress, cursor, role.beat > cursor.beat)
  if (blocks.length === 0 && !isDue) {
    return hasCommitToTell(state, progress, cursor)
      ? { message: commitNotice(state), cursor: { ...cursor, commitIndex: state.commitIndex } }
      : undefined
  }
  return {
    message: appendMessage(state, role, cursor, blocks),
    cursor: sent(state, role, progress, cursor, blocks)
  }
}

/** Whether `peer` needs entries that are in the log no more, and so the snapshot. */
export const needsSnapshot = (state: NodeState, peer: NodeId, cursor: Cursor): boolean => {
  const progress = state.role._tag === "Leader" ? state.role.progress.get(peer) : undefined
  return progress !== undefined && isBehindLog(state, catchUp(cursor, progress))
}

const isBehindLog = (state: NodeState, cursor: Cursor): boolean => cursor.nextIndex <= state.log.base.index

/** A heartbeat that claims nothing about the peer's log: every log has the place before the first entry. */
const bareHeartbeat = (state: NodeState, role: Leader): AppendEntries => ({
  _tag: "AppendEntries",
  term: state.currentTerm,
  prevLogIndex: LogIndex.zero,
  prevLogTerm: Term.zero,
  blocks: [],
  leaderCommit: LogIndex.zero,
  round: role.round
})

/** Starts over when the rules say so, and never sends again what already matches. */
const catchUp = (cursor: Cursor, progress: Progress.Progress): Cursor => {
  const { epoch, matchIndex, memberSince, nextIndex } = progress
  if (cursor.epoch !== epoch || cursor.memberSince !== memberSince)
    return { ...cursor, memberSince, epoch, nextIndex, hasProbed: false }
  return cursor.nextIndex > matchIndex ? cursor : { ...cursor, nextIndex: LogIndex.plus(matchIndex, 1) }
}

const entriesToSend = (
  state: NodeState,
  progress: Progress.Progress,
  cursor: Cursor,
  isBeatDue: boolean
): ReadonlyArray<LogEntry.EntryBlock> => {
  if (cursor.nextIndex > state.log.lastIndex) return []
  const { maxAppendBytes, maxInflightBytes, maxInflightEntries } = state.config
  if (progress.mode === "Probe") {
    // A probe may be lost: it goes again with the next heartbeat.
    return cursor.hasProbed && !isBeatDue
      ? []
      : RaftLog.blocksFrom(state.log, cursor.nextIndex, {
          maxBytes: maxAppendBytes,
          maxEntries: maxInflightEntries
        })
  }
  const firstInflight = LogIndex.plus(progress.matchIndex, 1)
  const inflightEntries = cursor.nextIndex - firstInflight
  const lastInflight = LogIndex.plus(cursor.nextIndex, -1)
  const inflightBytes = RaftLog.bytesBetween(state.log, firstInflight, lastInflight)
  return inflightEntries >= maxInflightEntries || inflightBytes >= maxInflightBytes
    ? []
    : RaftLog.blocksFrom(state.log, cursor.nextIndex, {
        maxBytes: maxAppendBytes,
        maxEntries: maxInflightEntries - inflightEntries
      })
}

/** A new commit index rides on the next append; where none is on its way it gets a message of its own. */
const hasCommitToTell = (state: NodeState, progress: Progress.Progress, cursor: Cursor): boolean =>
  progress.mode === "Replicate" &&
  state.commitIndex > cursor.commitIndex &&
  progress.matchIndex > cursor.commitIndex &&
  cursor.nextIndex === progress.matchIndex + 1

const commitNotice = ({ currentTerm, commitIndex }: NodeState): CommitNotice => ({
  _tag: "CommitNotice",
  term: currentTerm,
  leaderCommit: commitIndex
})

const appendMessage = (
  state: NodeState,
  role: Leader,
  cursor: Cursor,
  blocks: ReadonlyArray<LogEntry.EntryBlock>
): AppendEntries => {
  const prevLogIndex = LogIndex.plus(cursor.nextIndex, -1)
  const prevLogTerm = RaftLog.termAt(state.log, prevLogIndex)
  if (prevLogTerm === undefined) throw new Error(`No entry at ${prevLogIndex} to append after`)
  return {
    _tag: "AppendEntries",
    term: state.currentTerm,
    prevLogIndex,
    prevLogTerm,
    blocks,
    leaderCommit: state.commitIndex,
    round: role.round
  }
}

const sent = (
  state: NodeState,
  role: Leader,
  progress: Progress.Progress,
  cursor: Cursor,
  blocks: ReadonlyArray<LogEntry.EntryBlock>
): Cursor => {
  const last = blocks.at(-1)
  const isAhead = progress.mode === "Replicate" && last !== undefined
  return {
    memberSince: cursor.memberSince,
    epoch: cursor.epoch,
    nextIndex: isAhead ? LogIndex.plus(LogEntry.lastIndex(last), 1) : cursor.nextIndex,
    hasProbed: progress.mode === "Probe",
    beat: role.beat,
    round: role.round,
    commitIndex: state.commitIndex
  }
}
