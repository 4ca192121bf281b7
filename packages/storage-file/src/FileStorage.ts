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
import { DamagedStore, NotAStore, RaftStorage, StorageError } from "@effect-raft/core/RaftStorage"
import type { StorageIdentity } from "@effect-raft/core/RaftStorage"
import { join } from "node:path"
import { LogFileSystem, ownerFileName } from "./LogFileSystem.ts"
import type { LogDirectory } from "./LogFileSystem.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as WriteAheadLog from "./WriteAheadLog.ts"

export interface FileStorageOptions {
  /** Made where it is missing. A function where one process holds several stores. */
  readonly directory: string | ((identity: StorageIdentity) => string)
  /** Size of a segment of the log, preallocated. 16 MiB unless told; a larger batch gets a larger one. */
  readonly segmentBytes?: number
}

const defaultSegmentBytes = 16 * 1024 * 1024

/** The store of one node in `directory`. Opening it may fail with any reason of `StorageError`. */
export const layer = (options: FileStorageOptions): Layer.Layer<RaftStorage, never, LogFileSystem> =>
  Layer.effect(
    RaftStorage,
    Effect.map(LogFileSystem, (files) =>
      RaftStorage.of({ open: (identity) => open(files, options, identity) })
    )
  )

const open = Effect.fnUntraced(function* (
  files: LogFileSystem["Service"],
  options: FileStorageOptions,
  identity: StorageIdentity
) {
  const path = typeof options.directory === "string" ? options.directory : options.directory(identity)
  const directory = yield* files.openDirectory(path)
  yield* expectStoreOrNothing(directory)
  yield* directory.lock
  yield* expectLogThatWasThere(directory)
  const store = yield* WriteAheadLog.open(directory, {
    identity,
    segmentBytes: options.segmentBytes ?? defaultSegmentBytes
  })
  // Now the store is known to be this node's: one that is refused stays as it is.
  yield* directory.sign(`node ${identity.nodeId} of cluster ${identity.clusterId}, group ${identity.groupId}`)
  return store
})

/** Looks before it locks, so that not even a lock file is left in a directory that is not ours. */
const expectStoreOrNothing = Effect.fnUntraced(function* (directory: LogDirectory) {
  const names = yield* directory.list
  const strangers = names.filter((name) => !isExpected(name))
  if (strangers.length === 0 || WriteAheadLog.segmentNumbers(names).length > 0) return
  const shown = strangers.slice(0, 3).join(", ")
  const found = strangers.length > 3 ? `${shown} and ${strangers.length - 3} more` : shown
  return yield* new StorageError({ reason: new NotAStore({ location: directory.path, found }) })
})

/** A node whose log is gone must not begin anew under its old name: it could vote twice in one term. */
const expectLogThatWasThere = Effect.fnUntraced(function* (directory: LogDirectory) {
  const names = yield* directory.list
  if (!names.includes(ownerFileName) || WriteAheadLog.segmentNumbers(names).length > 0) return
  const location = join(directory.path, SegmentHeader.nameOf(1))
  const detail = `the file is missing, but ${ownerFileName} says that there was a log`
  return yield* new StorageError({ reason: new DamagedStore({ location, offset: 0, detail }) })
})

/** Our own files, hidden ones, and what a new file system has at its root. */
const isExpected = (name: string): boolean =>
  name.startsWith("store.") || name.startsWith(".") || name === "lost+found" || name.endsWith(".wal.new")
