/**
 * Durable before visible: what must be on disk before a word of it goes out.
 *
 * The rules never wait for the disk. They hand out a ticket with every write and hang on it what may
 * only be said afterwards (paper, section 5: "servers respond to RPCs only after updating stable storage").
 */
import type { EntryBlock } from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { Term } from "../Term.ts"
import type { Emit } from "./Action.ts"
import * as Configurations from "./Configurations.ts"
import type { Persisted } from "./Event.ts"
import type { NodeState } from "./NodeState.ts"
import * as RaftLog from "./RaftLog.ts"

/** Takes over a term and a vote in it (or none yet), and has both written. */
export const setTermAndVote = (
  state: NodeState,
  currentTerm: Term,
  votedFor: NodeId | null,
  emit: Emit
): NodeState => {
  if (currentTerm === state.currentTerm && votedFor === state.votedFor) return state
  const ticket = state.durability.issued + 1
  emit({
    _tag: "Persist",
    ticket,
    hardState: { currentTerm, votedFor },
    blocks: [],
    lastIndex: state.log.lastIndex
  })
  return {
    ...state,
    currentTerm,
    votedFor,
    durability: { ...state.durability, issued: ticket, hardState: ticket }
  }
}

/**
 * Adds blocks to the log, after cutting it at `truncateFrom` where that is given, and has it written, with what
 * is committed by now: it stands in the log already, and is never cut (Leader Completeness, section 5.4). The
 * membership follows the log.
 */
export const appendBlocks = (
  state: NodeState,
  blocks: ReadonlyArray<EntryBlock>,
  truncateFrom: LogIndex.LogIndex | undefined,
  emit: Emit
): NodeState => {
  const kept = truncateFrom === undefined ? state.log : RaftLog.truncateFrom(state.log, truncateFrom)
  let log = kept
  for (const block of blocks) log = RaftLog.append(log, block)
  const ticket = state.durability.issued + 1
  emit({
    _tag: "Persist",
    ticket,
    ...(truncateFrom === undefined ? undefined : { truncateFrom }),
    blocks,
    committed: state.commitIndex,
    lastIndex: log.lastIndex
  })
  const durability =
    truncateFrom === undefined
      ? { ...state.durability, issued: ticket }
      : {
          ...state.durability,
          issued: ticket,
          truncated: ticket,
          index: LogIndex.min(state.durability.index, LogIndex.plus(truncateFrom, -1))
        }
  return withConfigurations({ ...state, log, durability }, configurationsAfter(state, blocks, truncateFrom))
}

const configurationsAfter = (
  { configurations }: NodeState,
  blocks: ReadonlyArray<EntryBlock>,
  truncateFrom: LogIndex.LogIndex | undefined
): Configurations.Configurations =>
  Configurations.append(
    truncateFrom === undefined ? configurations : Configurations.truncateFrom(configurations, truncateFrom),
    blocks
  )

/** Goes by the last of these from now on. */
export const withConfigurations = (
  state: NodeState,
  configurations: Configurations.Configurations
): NodeState => {
  if (configurations === state.configurations) return state
  const { membership } = Configurations.latest(configurations)
  // The same object for the same membership, so that others can see at a glance that nothing has changed.
  return {
    ...state,
    configurations,
    membership: Membership.isSame(state.membership, membership) ? state.membership : membership
  }
}

/**
 * Puts `log`, which begins later than the present one and is not longer, in its place, and has that
 * written. With `cutFrom`, entries from there on are not what `log` holds and are removed first. The
 * snapshot that covers what goes is durable.
 */
export const setLogBase = (
  state: NodeState,
  log: RaftLog.RaftLog,
  cutFrom: LogIndex.LogIndex | undefined,
  emit: Emit
): NodeState => {
  const ticket = state.durability.issued + 1
  emit({
    _tag: "Persist",
    ticket,
    ...(cutFrom === undefined ? undefined : { truncateFrom: cutFrom }),
    base: log.base,
    blocks: [],
    lastIndex: log.lastIndex
  })
  const durable = cutFrom === undefined ? state.durability.index : log.base.index
  return {
    ...state,
    log,
    durability: {
      ...state.durability,
      issued: ticket,
      truncated: cutFrom === undefined ? state.durability.truncated : ticket,
      index: LogIndex.max(durable, log.base.index)
    }
  }
}

/** The disk has caught up to a ticket. */
export const persisted = (state: NodeState, event: Persisted): NodeState => {
  const { durability } = state
  if (event.ticket <= durability.persisted) return state
  // Entries of a write older than the last cut may have been cut away since, and others may stand at
  // their indexes now.
  const saysOfPresentLog = event.ticket >= durability.truncated
  return {
    ...state,
    durability: {
      ...durability,
      persisted: event.ticket,
      index: saysOfPresentLog
        ? LogIndex.max(durability.index, event.lastIndex as LogIndex.LogIndex)
        : durability.index
    }
  }
}

/** Sends a message that promises everything up to `ticket`, as soon as that is durable. */
export const sendAfter = (
  state: NodeState,
  ticket: number,
  to: NodeId,
  message: RaftMessage,
  emit: Emit
): void =>
  ticket <= state.durability.persisted
    ? emit({ _tag: "SendNow", to, message })
    : emit({ _tag: "SendWhenDurable", ticket, to, message })

/** Sends a reply of the present term, which must be durable, with the vote in it. */
export const sendInTerm = (state: NodeState, to: NodeId, message: RaftMessage, emit: Emit): void =>
  sendAfter(state, state.durability.hardState, to, message, emit)
