/**
 * The disks of a simulated cluster, and what can befall them: they forget what was not acknowledged, hang,
 * fail and slow down on demand.
 *
 * The disks of all nodes are one object, which outlives the nodes. `MemoryDisk` is the plain form: batches
 * in memory. A store of another kind can stand in its place, and is then run under the same faults as the
 * nodes above it: `@effect-raft/storage-file/testing/SimulatedFiles` is the write-ahead log. Nothing of it
 * may wait for anything but other fibers and the `Clock`.
 */
import type * as Effect from "effect/Effect"
import type { RaftStorage, RecoveredState, StorageIdentity } from "../RaftStorage.ts"

/**
 * What becomes of what was written but not acknowledged: a batch, or the commit of a snapshot, is there
 * whole or not at all; so is the part of a snapshot that was not committed. A store in files also knows
 * what is between the two: where power is lost it may keep some of the bytes, and must cope with them.
 */
export type Fate = "Lost" | "Kept"

export interface FaultyDisk {
  readonly storage: RaftStorage["Service"]
  /**
   * The store is closed under whoever has it open: what is in flight fails there, and meets its `fate` here
   * ("Lost", a loss of power, unless told), and so do unfinished snapshots. Settings stay as they are.
   */
  readonly crash: (identity: StorageIdentity, fate?: Fate) => Effect.Effect<void>
  /** The disk is replaced by an empty one, which implies a crash. */
  readonly wipe: (identity: StorageIdentity) => Effect.Effect<void>
  /** Every write, and every commit of a snapshot, takes this long from now on. 0, the default, is at once. */
  readonly setWriteLatencyMillis: (identity: StorageIdentity, millis: number) => Effect.Effect<void>
  /** Writes and commits of snapshots do not come back until `release` or a crash. */
  readonly hang: (identity: StorageIdentity) => Effect.Effect<void>
  readonly release: (identity: StorageIdentity) => Effect.Effect<void>
  /** The disk is sound again: nothing hangs, nothing is slow, no failure waits. */
  readonly mend: (identity: StorageIdentity) => Effect.Effect<void>
  /**
   * One of the next operations, the next write or commit where there is nothing smaller, fails with
   * `IoFailed`; what was to be written meets its `fate` ("Lost" unless told).
   */
  readonly failNextWrite: (identity: StorageIdentity, fate?: Fate) => Effect.Effect<void>
  /** What the node would find if it crashed now and lost what is in flight. */
  readonly durable: (identity: StorageIdentity) => Effect.Effect<RecoveredState>
  /** The same without a copy, for a look that is over before the next write. */
  readonly peek: (identity: StorageIdentity) => Pick<RecoveredState, "hardState" | "base" | "blocks">
  /** Batches acknowledged so far, over all restarts. */
  readonly acknowledgedWrites: (identity: StorageIdentity) => Effect.Effect<number>
}

/** What a run has met on its disks; `Coverage` counts it. */
export type DiskEvent =
  /** Power was lost while something was not yet synced, and part of that was left. */
  | "tornWrites"
  /** A flush that reported an error. */
  | "failedFlushes"
  /** Another operation that reported an error. */
  | "failedWrites"
  /** A segment was full, and the log went on in the next. */
  | "segmentsRolled"
  /** A snapshot made a segment needless, and it was removed, or put aside to be written over. */
  | "segmentsRemoved"
  /** One that was put aside was prepared to become the next. */
  | "segmentsReused"
  /** A start that cut off a write that had not come to its end. */
  | "tailsCut"

/** Makes the disks of one simulated run. The same seed makes disks that behave in the same way. */
export type Make = (options: {
  readonly seed: string
  readonly onEvent: (event: DiskEvent) => void
}) => FaultyDisk
