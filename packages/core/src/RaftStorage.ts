/**
 * The port to the disk.
 *
 * A node writes through one fiber, one batch at a time, and believes in a batch only when `write` has
 * succeeded. Term, vote, truncations and entries are one ordered history: after a crash a prefix of the
 * batches is there, each whole or not at all, and all that were acknowledged are in it. A failed write is
 * final: the store is not used again.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as LogEntry from "./LogEntry.ts"
import type { EntryBlock } from "./LogEntry.ts"
import * as LogIndex from "./LogIndex.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import * as Term from "./Term.ts"

/** Whose data it is. Stands in every file; a store of somebody else refuses to open. */
export const StorageIdentity = Schema.Struct({ clusterId: ClusterId, groupId: GroupId, nodeId: NodeId })
export type StorageIdentity = typeof StorageIdentity.Type

/** Paper, figure 2, "persistent state", without the log. */
export interface HardState {
  readonly currentTerm: Term.Term
  readonly votedFor: NodeId | null
}

/** What becomes durable together. Applied in the order: hard state, truncation, blocks. */
export interface WriteBatch {
  readonly hardState?: HardState
  /** Remove the entry at this index and all after it. */
  readonly truncateFrom?: LogIndex.LogIndex
  /** Consecutive; the first block follows the last entry that is left. May be empty. */
  readonly blocks: ReadonlyArray<EntryBlock>
}

/** What a store held when it was opened. */
export interface RecoveredState {
  /** Term 0 and no vote when the store is new. */
  readonly hardState: HardState
  /** Consecutive, from index 1. */
  readonly blocks: ReadonlyArray<EntryBlock>
  /** What recovery did that an operator may want to read, such as a torn last record it cut off. */
  readonly notes: ReadonlyArray<string>
}

/** An open store. Used by one fiber at a time. */
export interface LogStore {
  readonly recovered: RecoveredState
  /**
   * Succeeds when the whole batch is durable. A batch that does not follow the log (see {@link misfit})
   * is a mistake in the program and dies. A write that fails or is interrupted is the last one: the batch
   * may be there after the next `open`, or not, and every later write fails with `IoFailed`.
   */
  readonly write: (batch: WriteBatch) => Effect.Effect<void, StorageError>
}

/** Another process (or another node in this one) has the store open. */
export class StoreLocked extends Schema.TaggedError<StoreLocked>()("StoreLocked", {
  location: Schema.String,
  owner: Schema.String
}) {
  override get message() {
    return `${this.location} is in use by ${this.owner}; stop that node first, or use another directory`
  }
}

/** The store belongs to another node, group or cluster. */
export class ForeignStore extends Schema.TaggedError<ForeignStore>()("ForeignStore", {
  location: Schema.String,
  expected: StorageIdentity,
  found: StorageIdentity
}) {
  override get message() {
    const show = (identity: StorageIdentity) =>
      `node ${identity.nodeId} of cluster ${identity.clusterId}, group ${identity.groupId}`
    return `${this.location} holds the data of ${show(this.found)}, not of ${show(this.expected)}; nothing was changed. Name another directory, or start that node`
  }
}

/** The store holds bytes that were not written by us, or have changed since. Nothing was changed. */
export class DamagedStore extends Schema.TaggedError<DamagedStore>()("DamagedStore", {
  location: Schema.String,
  offset: Schema.Natural,
  detail: Schema.String
}) {
  override get message() {
    return `${this.location} is damaged at byte ${this.offset}: ${this.detail}; nothing was changed. Put a copy of this node's own directory in its place. Do not start it under its old name on an empty one: it would forget its votes and what it has acknowledged`
  }
}

/** The place is not empty and what is there was not written by a store. Nothing was changed. */
export class NotAStore extends Schema.TaggedError<NotAStore>()("NotAStore", {
  location: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `${this.location} is not a store of this program: it holds ${this.found}; nothing was changed. Name an empty or a new directory`
  }
}

/** The store was written by a newer version. Nothing was changed. */
export class UnsupportedFormat extends Schema.TaggedError<UnsupportedFormat>()("UnsupportedFormat", {
  location: Schema.String,
  found: Schema.Natural,
  supported: Schema.Natural
}) {
  override get message() {
    return `${this.location} has format version ${this.found}; this program reads up to ${this.supported}. Use a newer one`
  }
}

/** The disk said no. The store must not be used again; what was acknowledged before is safe. */
export class IoFailed extends Schema.TaggedError<IoFailed>()("IoFailed", {
  operation: Schema.String,
  location: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.operation} failed on ${this.location}: ${this.detail}`
  }
}

export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  reason: Schema.Union([StoreLocked, ForeignStore, NotAStore, DamagedStore, UnsupportedFormat, IoFailed])
}) {
  override get message() {
    return this.reason.message
  }
}

export class RaftStorage extends Context.Service<
  RaftStorage,
  {
    /**
     * Opens the store of `identity`, making it where there is none, and reads it back. The store is
     * locked until the scope closes.
     */
    readonly open: (identity: StorageIdentity) => Effect.Effect<LogStore, StorageError, Scope.Scope>
  }
>()("@effect-raft/core/RaftStorage") {}

/** What a store holds: the sum of its batches. Grows in place, by {@link absorb}. */
export interface StoredState {
  hardState: HardState
  /** Consecutive, from index 1. */
  readonly blocks: Array<EntryBlock>
}

/** A store before its first batch. */
export const emptyState = (): StoredState => ({
  hardState: { currentTerm: Term.zero, votedFor: null },
  blocks: []
})

/** Index of the last entry; 0 where there is none. */
export const lastIndexOf = (state: StoredState): LogIndex.LogIndex =>
  state.blocks.length === 0 ? LogIndex.zero : LogEntry.lastIndex(state.blocks[state.blocks.length - 1]!)

/** Why `batch` cannot follow a log that ends at `lastIndex`: a gap, an entry that is there already, or terms that fall. */
export const misfit = (lastIndex: LogIndex.LogIndex, batch: WriteBatch): string | undefined => {
  let expected = LogIndex.plus(lengthAfterTruncation(lastIndex, batch), 1)
  let lastTerm = Term.zero
  for (const block of batch.blocks) {
    if (block.firstIndex !== expected)
      return `a block begins at index ${block.firstIndex} where ${expected} is next`
    if (block.firstTerm < lastTerm)
      return `a block of term ${block.firstTerm} follows one of term ${lastTerm}`
    lastTerm = block.lastTerm
    expected = LogIndex.plus(LogEntry.lastIndex(block), 1)
  }
  return undefined
}

/** Index of the last entry once `batch` is written to a log that ends at `lastIndex`. */
export const lastIndexAfter = (lastIndex: LogIndex.LogIndex, batch: WriteBatch): LogIndex.LogIndex =>
  batch.blocks.length === 0
    ? lengthAfterTruncation(lastIndex, batch)
    : LogEntry.lastIndex(batch.blocks[batch.blocks.length - 1]!)

const lengthAfterTruncation = (lastIndex: LogIndex.LogIndex, batch: WriteBatch): LogIndex.LogIndex =>
  batch.truncateFrom === undefined
    ? lastIndex
    : LogIndex.min(lastIndex, LogIndex.max(LogIndex.zero, LogIndex.plus(batch.truncateFrom, -1)))

/** Adds a batch, which must fit, to what a store holds. Copies no entry. */
export const absorb = (state: StoredState, batch: WriteBatch): void => {
  if (batch.hardState !== undefined) state.hardState = batch.hardState
  if (batch.truncateFrom !== undefined) truncate(state.blocks, batch.truncateFrom)
  for (const block of batch.blocks) state.blocks.push(block)
}

const truncate = (blocks: Array<EntryBlock>, from: LogIndex.LogIndex): void => {
  while (blocks.length > 0 && blocks[blocks.length - 1]!.firstIndex >= from) blocks.pop()
  const last = blocks.pop()
  if (last === undefined) return
  const keptTo = LogIndex.min(LogEntry.lastIndex(last), LogIndex.plus(from, -1))
  blocks.push(LogEntry.slice(last, last.firstIndex, keptTo))
}
