/**
 * The port to the disk.
 *
 * A node writes through one fiber, one batch at a time, and believes in a batch only when `write` has
 * succeeded. Term, vote, truncations and entries are one ordered history: after a crash a prefix of the
 * batches is there, each whole or not at all, and all that were acknowledged are in it. A failed write is
 * final: the store is not used again.
 *
 * Beside the log stand snapshots. A snapshot is written aside and becomes the newest one all at once, when
 * it is whole and durable; only then may a batch let the log begin after it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as LogEntry from "./LogEntry.ts"
import type { EntryBlock } from "./LogEntry.ts"
import * as LogIndex from "./LogIndex.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import type { SnapshotMeta } from "./Snapshot.ts"
import * as Term from "./Term.ts"

/** Whose data it is. Stands in every file; a store of somebody else refuses to open. */
export const StorageIdentity = Schema.Struct({ clusterId: ClusterId, groupId: GroupId, nodeId: NodeId })
export type StorageIdentity = typeof StorageIdentity.Type

/** Paper, figure 2, "persistent state", without the log. */
export interface HardState {
  readonly currentTerm: Term.Term
  readonly votedFor: NodeId | null
}

/** The place before the first entry that a log holds; index 0 and term 0 for a log from the beginning. */
export interface LogBase {
  readonly index: LogIndex.LogIndex
  readonly term: Term.Term
}

/** What becomes durable together. Applied in the order: hard state, truncation, base, blocks. */
export interface WriteBatch {
  readonly hardState?: HardState
  /** Remove the entry at this index and all after it. Lies after the base of the log. */
  readonly truncateFrom?: LogIndex.LogIndex
  /**
   * Let the log begin after this place: remove the entries up to it. A log that ends before it is empty
   * afterwards; a base that is not after the present one changes nothing. A snapshot that reaches at
   * least to it is durable already; a batch without one is a mistake in the program and dies.
   */
  readonly base?: LogBase
  /** Consecutive; the first block follows the last entry that is left. May be empty. */
  readonly blocks: ReadonlyArray<EntryBlock>
  /**
   * Up to here the log was known to be committed when the batch was made. It is in the log, with this batch or
   * before, and no later batch removes it. For who starts from it: nothing is promised to anybody by it.
   */
  readonly committed?: LogIndex.LogIndex
}

/** What a store held when it was opened. */
export interface RecoveredState {
  /** Term 0 and no vote when the store is new. */
  readonly hardState: HardState
  /** Where the log begins. */
  readonly base: LogBase
  /** Consecutive, from right after `base`. */
  readonly blocks: ReadonlyArray<EntryBlock>
  /** The last place that any batch said was committed; 0 where none did. It is in the log, or before it. */
  readonly committed: LogIndex.LogIndex
  /** The newest whole snapshot; there is one where `base.index` is not 0, and it reaches at least to it. */
  readonly snapshot: SnapshotMeta | undefined
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
  /**
   * The same for stores that need no disk, which so spare a node half of its turns: `true` when the whole batch is
   * durable, `false` when nothing was done and it is for `write`. The node says nothing to anybody meanwhile, so a
   * store whose writes take time leaves it out.
   */
  readonly writeNow?: (batch: WriteBatch) => boolean
  /**
   * `true` promises that no byte of a batch's blocks is looked at when its write has ended. Then a node may use the
   * memory of its log again.
   */
  readonly copiesBlocks?: true
  readonly snapshots: SnapshotStore
}

/** Whether a snapshot comes from the node's own machine or from the leader. */
export type SnapshotPurpose = "Take" | "Receive"

/** The snapshots of one store. Writers and readers may be used beside `write`, by other fibers. */
export interface SnapshotStore {
  /**
   * Begins to write a snapshot aside. With `resume`, what an earlier writer of the same `purpose` and
   * `meta` left unfinished is kept and gone on with, as far as it is whole. A writer whose Scope closes
   * before `commit` leaves its part for a later `resume`; a part of another snapshot is removed. At most
   * one writer is open at a time for each `purpose`; a second is a mistake in the program and dies.
   */
  readonly writer: (options: {
    readonly meta: SnapshotMeta
    readonly purpose: SnapshotPurpose
    /** Take up the part that is there. Default false. */
    readonly resume?: boolean
  }) => Effect.Effect<SnapshotWriter, StorageError, Scope.Scope>
  /** The newest whole snapshot, checked against its checksum as it is read; `undefined` when there is none. */
  readonly reader: Effect.Effect<SnapshotReader | undefined, StorageError, Scope.Scope>
}

/**
 * Used by one fiber at a time. An operation that fails or is interrupted ends the writer, not the store:
 * the former snapshot stays the newest one, and the log can be written.
 */
export interface SnapshotWriter {
  /** How many bytes are there; 0, unless a part was taken up. */
  readonly offset: () => number
  /** Adds a piece of any size, which may be used again once this has succeeded. Not durable yet. */
  readonly write: (piece: Uint8Array) => Effect.Effect<void, StorageError>
  /**
   * Makes the snapshot whole and durable, and the newest one; older ones are removed. A snapshot that
   * ends before the newest one is dropped instead. The writer is not used after it: that would die.
   */
  readonly commit: Effect.Effect<void, StorageError>
}

export interface SnapshotReader {
  readonly meta: SnapshotMeta
  readonly sizeBytes: number
  /**
   * The next `maxBytes` bytes from `offset` on, fewer only at the end, where it is empty at last. Fails
   * with `DamagedStore` where the bytes are not those that were written. Stays usable when a newer
   * snapshot has taken the place. The bytes are not to be changed.
   */
  readonly read: (offset: number, maxBytes: number) => Effect.Effect<Uint8Array, StorageError>
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

/** What the operator of a damaged store can do. */
export const damageAdvice =
  "Put a copy of this node's own directory in its place. Do not start it under its old name on an empty one: it would forget its votes and what it has acknowledged"

/** The store holds bytes that were not written by us, or have changed since. Nothing was changed. */
export class DamagedStore extends Schema.TaggedError<DamagedStore>()("DamagedStore", {
  location: Schema.String,
  offset: Schema.Natural,
  detail: Schema.String
}) {
  override get message() {
    return `${this.location} is damaged at byte ${this.offset}: ${this.detail}; nothing was changed. ${damageAdvice}`
  }
}

/** The place is not empty and what is there was not written by a store. Nothing was changed. */
export class NotAStore extends Schema.TaggedError<NotAStore>()("NotAStore", {
  location: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `${this.location} is not a store of this program: it holds ${this.found}; nothing was changed. Name the directory of one node, or for a new node an empty or a new one`
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
  base: LogBase
  /** Consecutive, from right after `base`. */
  readonly blocks: Array<EntryBlock>
  committed: LogIndex.LogIndex
}

/** A store before its first batch. */
export const emptyState = (): StoredState => ({
  hardState: { currentTerm: Term.zero, votedFor: null },
  base: { index: LogIndex.zero, term: Term.zero },
  blocks: [],
  committed: LogIndex.zero
})

/** Index of the last entry; that of the base where there is none. */
export const lastIndexOf = (state: StoredState): LogIndex.LogIndex =>
  state.blocks.length === 0 ? state.base.index : LogEntry.lastIndex(state.blocks[state.blocks.length - 1]!)

/** Where a log begins and ends. All that a store must know of its entries to take the next batch. */
export interface LogExtent {
  readonly base: LogBase
  /** That of the base where the log has no entry. */
  readonly lastIndex: LogIndex.LogIndex
  readonly committed: LogIndex.LogIndex
}

export const extentOf = (state: StoredState): LogExtent => ({
  base: state.base,
  lastIndex: lastIndexOf(state),
  committed: state.committed
})

/** The extent of a log once `batch`, which must fit, is written to it. */
export const extentAfter = (log: LogExtent, batch: WriteBatch): LogExtent => ({
  base: baseAfter(log, batch),
  lastIndex:
    batch.blocks.length === 0
      ? lengthBeforeBlocks(log, batch)
      : LogEntry.lastIndex(batch.blocks[batch.blocks.length - 1]!),
  committed: committedAfter(log, batch)
})

/** What is committed stays so. */
const committedAfter = ({ committed }: Pick<LogExtent, "committed">, batch: WriteBatch): LogIndex.LogIndex =>
  batch.committed === undefined ? committed : LogIndex.max(committed, batch.committed)

/** A base never goes back: one that is not after the present one changes nothing. */
const baseAfter = (log: LogExtent, { base }: WriteBatch): LogBase =>
  base !== undefined && base.index > log.base.index ? base : log.base

const lengthBeforeBlocks = (log: LogExtent, batch: WriteBatch): LogIndex.LogIndex => {
  const { truncateFrom } = batch
  const kept =
    truncateFrom === undefined ? log.lastIndex : LogIndex.min(log.lastIndex, LogIndex.plus(truncateFrom, -1))
  return LogIndex.max(kept, baseAfter(log, batch).index)
}

/**
 * Why `batch` cannot follow a log: it removes what a snapshot stands for, or what is committed, or leaves a gap,
 * or brings an entry that is there already, or its terms fall, or it speaks of more than the log has.
 */
export const misfit = (log: LogExtent, batch: WriteBatch): string | undefined => {
  if (batch.truncateFrom !== undefined && batch.truncateFrom <= log.base.index)
    return `it removes from index ${batch.truncateFrom} on, but the log begins after ${log.base.index}`
  if (batch.truncateFrom !== undefined && batch.truncateFrom <= log.committed && !isCovered(log, batch))
    return `it removes from index ${batch.truncateFrom} on, and all up to ${log.committed} is committed`
  let expected = LogIndex.plus(lengthBeforeBlocks(log, batch), 1)
  let lastTerm = Term.zero
  for (const block of batch.blocks) {
    if (block.firstIndex !== expected)
      return `a block begins at index ${block.firstIndex} where ${expected} is next`
    if (block.firstTerm < lastTerm)
      return `a block of term ${block.firstTerm} follows one of term ${lastTerm}`
    lastTerm = block.lastTerm
    expected = LogIndex.plus(LogEntry.lastIndex(block), 1)
  }
  return batch.committed !== undefined && batch.committed >= expected
    ? `it says that all up to ${batch.committed} is committed, and the log ends at ${expected - 1}`
    : undefined
}

/** A snapshot stands for all that is committed: a leader's, which takes the place of the whole log. */
const isCovered = (log: LogExtent, batch: WriteBatch): boolean => baseAfter(log, batch).index >= log.committed

/** Why a log may not begin at the base of `batch` yet, when `snapshot` is the newest one. */
export const uncovered = ({ base }: WriteBatch, snapshot: SnapshotMeta | undefined): string | undefined => {
  const covered = snapshot?.lastIndex ?? LogIndex.zero
  return base === undefined || base.index <= covered
    ? undefined
    : `the log would begin after index ${base.index}, and the newest snapshot ends at ${covered}`
}

/** Adds a batch, which must fit, to what a store holds. Copies no entry. */
export const absorb = (state: StoredState, batch: WriteBatch): void => {
  if (batch.hardState !== undefined) state.hardState = batch.hardState
  if (batch.truncateFrom !== undefined) truncate(state.blocks, batch.truncateFrom)
  if (batch.base !== undefined && batch.base.index > state.base.index) beginAfter(state, batch.base)
  for (const block of batch.blocks) state.blocks.push(block)
  state.committed = committedAfter(state, batch)
}

const beginAfter = (state: StoredState, base: LogBase): void => {
  state.base = base
  const kept = state.blocks.filter((block) => LogEntry.lastIndex(block) > base.index)
  const [first] = kept
  if (first !== undefined && first.firstIndex <= base.index) {
    kept[0] = LogEntry.slice(first, LogIndex.plus(base.index, 1), LogEntry.lastIndex(first))
  }
  // Not as arguments of one call: there may be more of them than a call takes.
  state.blocks.length = 0
  for (const block of kept) state.blocks.push(block)
}

const truncate = (blocks: Array<EntryBlock>, from: LogIndex.LogIndex): void => {
  while (blocks.length > 0 && blocks[blocks.length - 1]!.firstIndex >= from) blocks.pop()
  const last = blocks.pop()
  if (last === undefined) return
  const keptTo = LogIndex.min(LogEntry.lastIndex(last), LogIndex.plus(from, -1))
  blocks.push(LogEntry.slice(last, last.firstIndex, keptTo))
}
