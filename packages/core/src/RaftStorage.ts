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
import type { EntryBlock } from "./LogEntry.ts"
import type { LogIndex } from "./LogIndex.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import type { Term } from "./Term.ts"

/** Whose data it is. Stands in every file; a store of somebody else refuses to open. */
export const StorageIdentity = Schema.Struct({ clusterId: ClusterId, groupId: GroupId, nodeId: NodeId })
export type StorageIdentity = typeof StorageIdentity.Type

/** Paper, figure 2, "persistent state", without the log. */
export interface HardState {
  readonly currentTerm: Term
  readonly votedFor: NodeId | null
}

/** What becomes durable together. Applied in the order: hard state, truncation, blocks. */
export interface WriteBatch {
  readonly hardState?: HardState
  /** Remove the entry at this index and all after it. */
  readonly truncateFrom?: LogIndex
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
  /** Succeeds when the whole batch is durable. */
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
    return `${this.location} holds the data of ${show(this.found)}, not of ${show(this.expected)}; nothing was changed`
  }
}

/** The store holds bytes that were not written by us, or have changed since. Nothing was changed. */
export class DamagedStore extends Schema.TaggedError<DamagedStore>()("DamagedStore", {
  location: Schema.String,
  offset: Schema.Natural,
  detail: Schema.String
}) {
  override get message() {
    return `${this.location} is damaged at byte ${this.offset}: ${this.detail}; nothing was changed. Restore this node from a copy, or move its directory away and let it join anew`
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
  reason: Schema.Union([StoreLocked, ForeignStore, DamagedStore, UnsupportedFormat, IoFailed])
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
