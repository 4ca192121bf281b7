/**
 * The follower's half of replication: AppendEntries as received (paper, figure 2 and section 5.3).
 *
 * The Log Matching Property: if two logs have an entry with the same index and term, they are the same
 * up to it. A follower keeps it by taking entries only after one that it has with the same term, and by
 * removing what conflicts, and all after that, and nothing else.
 */
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { AppendEntries, AppendRejected, CommitNotice } from "../RaftMessage.ts"
import type { Emit } from "./Action.ts"
import * as Commitment from "./Commitment.ts"
import * as Durable from "./Durable.ts"
import * as Following from "./Following.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import * as RaftLog from "./RaftLog.ts"

/** The leader of the present term speaks; the term gate has dealt with other terms. */
export const onAppendEntries = (
  state: NodeState,
  from: NodeId,
  message: AppendEntries,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  // A batch with a gap was damaged on its way; it is worth no more than a lost one.
  if (!isConsecutive(message)) return state
  const following = Following.hearLeader(state, from, stamp, emit)
  const conflict = conflictAt(following, message)
  if (conflict !== undefined) {
    Durable.sendInTerm(following, from, conflict, emit)
    return following
  }
  const appended = takeEntries(following, message.blocks, emit)
  // What this node's snapshot covers was committed, and so is the leader's too (Leader Completeness).
  const verifiedIndex = LogIndex.max(lastIndexOf(message), following.log.base.index)
  acknowledge(appended, from, { round: message.round, verifiedIndex, isNew: appended !== following }, emit)
  return Commitment.learn(withVerified(appended, verifiedIndex), message.leaderCommit, verifiedIndex)
}

/**
 * The leader says what is committed by now. The notice may have overtaken the entries of which it speaks, or
 * find a node that was started anew: no more is believed than was verified in this term.
 */
export const onCommitNotice = (
  state: NodeState,
  from: NodeId,
  message: CommitNotice,
  stamp: Stamp,
  emit: Emit
): NodeState => {
  const following = Following.hearLeader(state, from, stamp, emit)
  return following.role._tag === "Follower"
    ? Commitment.learn(following, message.leaderCommit, following.role.verifiedIndex)
    : following
}

/** Whether the blocks follow `prevLogIndex` and each other without a gap, in terms that do not fall. */
const isConsecutive = (message: AppendEntries): boolean => {
  let index = message.prevLogIndex
  let term = message.prevLogTerm
  for (const block of message.blocks) {
    if (block.firstIndex !== index + 1 || block.firstTerm < term || block.lastTerm > message.term)
      return false
    index = LogEntry.lastIndex(block)
    term = block.lastTerm
  }
  return true
}

const lastIndexOf = (message: AppendEntries): LogIndex.LogIndex => {
  const last = message.blocks.at(-1)
  return last === undefined ? message.prevLogIndex : LogEntry.lastIndex(last)
}

const withVerified = (state: NodeState, verifiedIndex: LogIndex.LogIndex): NodeState =>
  state.role._tag === "Follower" && verifiedIndex > state.role.verifiedIndex
    ? { ...state, role: { ...state.role, verifiedIndex } }
    : state

/** The refusal, when this log has no entry (`prevLogIndex`, `prevLogTerm`). */
const conflictAt = (state: NodeState, message: AppendEntries): AppendRejected | undefined => {
  const { prevLogIndex, round } = message
  if (prevLogIndex < state.log.base.index) return undefined
  const term = RaftLog.termAt(state.log, prevLogIndex)
  if (term === message.prevLogTerm) return undefined
  const where =
    term === undefined
      ? {
          conflictTerm: 0 as AppendRejected["conflictTerm"],
          conflictIndex: LogIndex.plus(state.log.lastIndex, 1)
        }
      : { conflictTerm: term, conflictIndex: RaftLog.firstIndexOfTermAt(state.log, prevLogIndex) }
  return { _tag: "AppendRejected", term: state.currentTerm, prevLogIndex, round, ...where }
}

/**
 * Adds the entries that are new. An existing entry with another term is removed with all that follow it;
 * entries that are already there stay, so that an old, short append cannot cut the log.
 */
const takeEntries = (state: NodeState, blocks: ReadonlyArray<LogEntry.EntryBlock>, emit: Emit): NodeState => {
  const firstNew = firstNewIndex(state, blocks)
  if (firstNew === undefined) return state
  if (firstNew <= state.commitIndex) {
    throw new Error(`The leader would remove the committed entry at ${firstNew} (State Machine Safety)`)
  }
  // Mostly all of them are new, and whole.
  const fresh = blocks[0]!.firstIndex >= firstNew ? blocks : blocksFrom(blocks, firstNew)
  const kept = fresh.map(state.memory.adopt)
  return Durable.appendBlocks(state, kept, firstNew <= state.log.lastIndex ? firstNew : undefined, emit)
}

const blocksFrom = (
  blocks: ReadonlyArray<LogEntry.EntryBlock>,
  first: LogIndex.LogIndex
): ReadonlyArray<LogEntry.EntryBlock> =>
  blocks
    .filter((block) => LogEntry.lastIndex(block) >= first)
    .map((block) => LogEntry.slice(block, LogIndex.max(block.firstIndex, first), LogEntry.lastIndex(block)))

const firstNewIndex = (
  state: NodeState,
  blocks: ReadonlyArray<LogEntry.EntryBlock>
): LogIndex.LogIndex | undefined => {
  const { index: baseIndex } = state.log.base
  for (const block of blocks) {
    if (LogEntry.lastIndex(block) <= baseIndex) continue
    // Same index and term at the end of a block: all of it is here (Log Matching).
    if (RaftLog.termAt(state.log, LogEntry.lastIndex(block)) === block.lastTerm) continue
    const first = LogIndex.max(block.firstIndex, LogIndex.plus(baseIndex, 1))
    for (let index = first; index <= LogEntry.lastIndex(block); index = LogIndex.plus(index, 1)) {
      if (RaftLog.termAt(state.log, index) !== LogEntry.termAt(block, index)) return index
    }
  }
  return undefined
}

/**
 * Says what matches, and is durable. What was just appended is told when it is on disk. A message that
 * brought nothing new (a heartbeat, a probe that was sent again) is answered at once with what is durable
 * by now, so that a slow disk does not look like a dead node.
 */
const acknowledge = (
  state: NodeState,
  to: NodeId,
  heard: { readonly round: number; readonly verifiedIndex: LogIndex.LogIndex; readonly isNew: boolean },
  emit: Emit
): void => {
  const { round, verifiedIndex, isNew } = heard
  const accepted = (matchIndex: LogIndex.LogIndex) =>
    ({ _tag: "AppendAccepted", term: state.currentTerm, matchIndex, round }) as const
  const durableIndex = LogIndex.min(verifiedIndex, state.durability.index)
  if (!isNew) Durable.sendInTerm(state, to, accepted(durableIndex), emit)
  if (durableIndex < verifiedIndex) {
    Durable.sendAfter(state, state.durability.issued, to, accepted(verifiedIndex), emit)
  }
}
