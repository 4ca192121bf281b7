/**
 * The port of the write-ahead log to the files: the few operations that durability needs and that
 * `effect/FileSystem` does not have (positional and vectored writes, fdatasync, a lock that dies with
 * its process).
 *
 * A write is visible to readers at once and durable after `sync` of the file; a new name, or a name that
 * is gone, is durable after `sync` of the directory. `NodeLogFileSystem` is the real one. An
 * implementation whose effects never wait, such as `MemoryLogFileSystem`, can be run by `Effect.runSync`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StorageError } from "@effect-raft/core/RaftStorage"

/** The file that `LogDirectory.sign` leaves behind, where files are real: the sign that there was a log. */
export const ownerFileName = "store.owner"

/** A file that is open to be read. */
export interface ReadableFile {
  readonly sizeBytes: Effect.Effect<number, StorageError>
  /** The next `bytes` bytes from `position` on, fewer where the file ends. */
  readonly read: (position: number, bytes: number) => Effect.Effect<Uint8Array, StorageError>
  readonly close: Effect.Effect<void>
}

/** An open file. Written by one fiber at a time. */
export interface LogFile extends ReadableFile {
  /** Writes `parts` back to back from `position`. The parts may be used again once this has succeeded. */
  readonly write: (parts: ReadonlyArray<Uint8Array>, position: number) => Effect.Effect<void, StorageError>
  /** Cuts off what lies beyond the first `bytes` bytes. */
  readonly truncate: (bytes: number) => Effect.Effect<void, StorageError>
  /** All that was written, and the size it takes to read it, is durable (fdatasync). */
  readonly sync: Effect.Effect<void, StorageError>
}

/** A directory to look into. Nothing in it is changed, not even where it is missing. */
export interface ReadableDirectory {
  readonly path: string
  readonly list: Effect.Effect<ReadonlyArray<string>, StorageError>
  /** The whole file. */
  readonly read: (name: string) => Effect.Effect<Uint8Array, StorageError>
  /** Stays usable when the file is removed. */
  readonly openToRead: (name: string) => Effect.Effect<ReadableFile, StorageError>
}

/** One directory, all files of which are the store's. Names are plain file names. */
export interface LogDirectory extends ReadableDirectory {
  /** Fails with `StoreLocked` while any process has it. Let go when the scope closes or the process dies. */
  readonly lock: Effect.Effect<void, StorageError, Scope.Scope>
  /** Who has the lock, in words, for `StoreLocked` to say. Done once the store is known to be the owner's. */
  readonly sign: (owner: string) => Effect.Effect<void, StorageError>
  /** Makes a file that reads as `bytes` zeros; there need be no room for them yet. Fails where the name is taken. */
  readonly create: (name: string, bytes: number) => Effect.Effect<LogFile, StorageError>
  readonly open: (name: string) => Effect.Effect<LogFile, StorageError>
  /** Takes the place of a file that has the new name already. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, StorageError>
  readonly remove: (name: string) => Effect.Effect<void, StorageError>
  /** All names are durable. */
  readonly sync: Effect.Effect<void, StorageError>
}

/** Has a file open to be read for as long as `use` runs. */
export const useFile = <A, E>(
  directory: ReadableDirectory,
  name: string,
  use: (file: ReadableFile) => Effect.Effect<A, E>
): Effect.Effect<A, E | StorageError> =>
  Effect.acquireUseRelease(directory.openToRead(name), use, (file) => file.close)

export class LogFileSystem extends Context.Service<
  LogFileSystem,
  {
    /** Opens a directory, making it, durably, where there is none. */
    readonly openDirectory: (path: string) => Effect.Effect<LogDirectory, StorageError>
    /** A directory that is there already, to be read only. */
    readonly lookInto: (path: string) => Effect.Effect<ReadableDirectory, StorageError>
  }
>()("@effect-raft/storage-file/LogFileSystem") {}
