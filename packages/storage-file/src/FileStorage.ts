/**
 * A `RaftStorage` in files: a directory for each node, with a write-ahead log in it.
 *
 * ```ts
 * FileStorage.layer({ directory: "./data/n1" }).pipe(Layer.provide(NodeLogFileSystem.layer))
 * ```
 *
 * The directory is locked while the store is open, belongs to one node for ever, and must not hold
 * anything else.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RaftStorage, StorageError } from "@effect-raft/core/RaftStorage"
import type { LogStore, RecoveredState, StorageIdentity } from "@effect-raft/core/RaftStorage"
import { LogFileSystem } from "./LogFileSystem.ts"
import * as Snapshots from "./Snapshots.ts"
import * as StoreDirectory from "./StoreDirectory.ts"
import * as WriteAheadLog from "./WriteAheadLog.ts"

export interface FileStorageOptions {
  /** Made where it is missing. A function where one process holds several stores. */
  readonly directory: string | ((identity: StorageIdentity) => string)
  /** Size of a segment of the log. 16 MiB unless told; a larger batch gets a larger one. */
  readonly segmentBytes?: number
  /** Bytes of a snapshot under one checksum, and in memory while it is written or read. 64 KiB unless told. */
  readonly snapshotChunkBytes?: number
}

export const defaultSegmentBytes = 16 * 1024 * 1024
export const defaultSnapshotChunkBytes = 64 * 1024

/** The store of one node in `directory`. Opening it may fail with any reason of `StorageError`. */
export const layer = (options: FileStorageOptions): Layer.Layer<RaftStorage, never, LogFileSystem> =>
  Layer.effect(
    RaftStorage,
    Effect.map(LogFileSystem, (files) => make(files, options))
  )

/** The same without a layer, for who has the files in hand. */
export const make = (
  files: LogFileSystem["Service"],
  options: FileStorageOptions
): RaftStorage["Service"] => ({ open: (identity) => open(files, options, identity) })

const open = Effect.fnUntraced(function* (
  files: LogFileSystem["Service"],
  options: FileStorageOptions,
  identity: StorageIdentity
) {
  const path = typeof options.directory === "string" ? options.directory : options.directory(identity)
  const directory = yield* files.openDirectory(path)
  // Before it is locked, so that not even a lock file is left in a directory that is not ours.
  const names = yield* directory.list
  yield* refuse(StoreDirectory.strangersIn(directory.path, names))
  yield* refuse(StoreDirectory.unfinishedRestoreIn(directory.path, names))
  yield* directory.lock
  yield* refuse(StoreDirectory.lostLogIn(directory.path, yield* directory.list))
  const { segmentBytes = defaultSegmentBytes, snapshotChunkBytes = defaultSnapshotChunkBytes } = options
  const snapshots = yield* Snapshots.open(directory, { identity, chunkBytes: snapshotChunkBytes })
  const { newest } = snapshots
  const log = yield* WriteAheadLog.open(directory, { identity, segmentBytes, newestSnapshot: newest })
  yield* snapshots.tidy
  // Now the store is known to be this node's: one that is refused stays as it is.
  yield* directory.sign(`node ${identity.nodeId} of cluster ${identity.clusterId}, group ${identity.groupId}`)
  return {
    recovered: { ...log.recovered, snapshot: newest() },
    write: log.write,
    copiesBlocks: true,
    snapshots
  } satisfies LogStore
})

/** What a node would find that opened this store now. Nothing is locked, mended or removed. */
export const lookInto = Effect.fnUntraced(function* (
  files: LogFileSystem["Service"],
  path: string,
  identity: StorageIdentity
) {
  const directory = yield* files.lookInto(path)
  const names = yield* directory.list
  yield* refuse(StoreDirectory.strangersIn(directory.path, names))
  yield* refuse(StoreDirectory.unfinishedRestoreIn(directory.path, names))
  yield* refuse(StoreDirectory.lostLogIn(directory.path, names))
  const snapshot = (yield* Snapshots.findNewest(directory, identity))?.snapshot.header.meta
  const { base, blocks, committed, hardState } = yield* WriteAheadLog.lookInto(directory, identity, snapshot)
  return { base, blocks, committed, hardState, snapshot } satisfies Omit<RecoveredState, "notes">
})

const refuse = (reason: StorageError["reason"] | undefined) =>
  reason === undefined ? Effect.void : Effect.fail(new StorageError({ reason }))
