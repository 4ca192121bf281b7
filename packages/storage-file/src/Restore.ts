/**
 * Making the directory of a node from a backup: a store that begins with its snapshot.
 *
 * It is made in an empty directory only. While it is being made, a mark stands in the directory, and no
 * node opens it: a restore that was cut short leaves something that is refused, not a node without data.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import * as FileStorage from "./FileStorage.ts"
import { LogFileSystem } from "./LogFileSystem.ts"
import type { LogDirectory } from "./LogFileSystem.ts"
import * as Snapshots from "./Snapshots.ts"
import * as StoreDirectory from "./StoreDirectory.ts"
import * as WriteAheadLog from "./WriteAheadLog.ts"

/** There is something in the directory. Nothing was changed. */
export class DirectoryNotEmpty extends Schema.TaggedError<DirectoryNotEmpty>()("DirectoryNotEmpty", {
  location: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `${this.location} is not empty: it holds ${this.found}; nothing was changed. A restore needs an empty or a new directory`
  }
}

export interface RestoreOptions<E, R> {
  /** Made where it is missing. */
  readonly directory: string
  /** Whose store it becomes. */
  readonly identity: StorageIdentity
  /** What the contents stand for, with the membership that is in force from now on. */
  readonly meta: SnapshotMeta
  /** The machine's snapshot. Where it fails, no store comes of it. */
  readonly contents: Stream.Stream<Uint8Array, E, R>
  /** As in {@link FileStorage.FileStorageOptions}. */
  readonly segmentBytes?: number
  readonly snapshotChunkBytes?: number
}

/** Makes the store. When this has succeeded it is durable, and a node may open it. */
export const restore = <E, R>(
  options: RestoreOptions<E, R>
): Effect.Effect<void, StorageError | DirectoryNotEmpty | E, LogFileSystem | R> =>
  Effect.gen(function* () {
    const files = yield* LogFileSystem
    const directory = yield* files.openDirectory(options.directory)
    yield* expectEmpty(directory)
    yield* begin(directory)
    yield* Effect.scoped(write(directory, options))
    yield* directory.remove(StoreDirectory.restoringFileName)
    yield* directory.sync
  })

const expectEmpty = Effect.fnUntraced(function* (directory: LogDirectory) {
  const found = (yield* directory.list).filter((name) => !StoreDirectory.isOfFileSystem(name))
  if (found.length === 0) return
  return yield* new DirectoryNotEmpty({ location: directory.path, found: StoreDirectory.shorten(found) })
})

/** The mark is durable before anything else is there. */
const begin = Effect.fnUntraced(function* (directory: LogDirectory) {
  const mark = yield* directory.create(StoreDirectory.restoringFileName, 0)
  yield* Effect.ensuring(mark.sync, mark.close)
  yield* directory.sync
})

const write = <E, R>(
  directory: LogDirectory,
  options: RestoreOptions<E, R>
): Effect.Effect<void, StorageError | E, R | Scope.Scope> =>
  Effect.gen(function* () {
    const { contents, identity, meta } = options
    const {
      segmentBytes = FileStorage.defaultSegmentBytes,
      snapshotChunkBytes = FileStorage.defaultSnapshotChunkBytes
    } = options
    yield* directory.lock
    const snapshots = yield* Snapshots.open(directory, { identity, chunkBytes: snapshotChunkBytes })
    const writer = yield* snapshots.writer({ meta, purpose: "Receive" })
    yield* Stream.runForEach(contents, writer.write)
    yield* writer.commit
    const log = yield* WriteAheadLog.open(directory, {
      identity,
      segmentBytes,
      newestSnapshot: snapshots.newest
    })
    yield* log.write({
      // The vote of the last term is not known, and not needed: in another cluster nobody asks for it.
      hardState: { currentTerm: meta.lastTerm, votedFor: null },
      base: { index: meta.lastIndex, term: meta.lastTerm },
      blocks: []
    })
    yield* directory.sign(
      `node ${identity.nodeId} of cluster ${identity.clusterId}, group ${identity.groupId}`
    )
  })
