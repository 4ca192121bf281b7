/**
 * The snapshots of a store's directory: at most one is whole and counts, and one for each purpose is being
 * written.
 *
 * A snapshot is written aside, flushed, and gets its name when it is whole; the directory is flushed
 * before anybody believes in the name, and only then the older one goes. So whenever the power fails, the
 * newest file with a snapshot's name is whole, or it was damaged later.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { join } from "node:path"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type {
  SnapshotPurpose,
  SnapshotStore,
  SnapshotWriter,
  StorageError,
  StorageIdentity
} from "@effect-raft/core/RaftStorage"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import { useFile } from "./LogFileSystem.ts"
import type { LogDirectory, ReadableDirectory } from "./LogFileSystem.ts"
import * as SnapshotFile from "./SnapshotFile.ts"
import * as SnapshotFormat from "./SnapshotFormat.ts"
import * as SnapshotPart from "./SnapshotPart.ts"

export interface SnapshotsOptions {
  readonly identity: StorageIdentity
  /** Bytes of the contents under one checksum, which is also what a writer holds in memory. */
  readonly chunkBytes: number
}

export interface Snapshots extends SnapshotStore {
  readonly newest: () => SnapshotMeta | undefined
  /** Removes what the newest snapshot has made needless. Not before its name is durable. */
  readonly tidy: Effect.Effect<void, StorageError>
}

interface Shelf extends SnapshotsOptions {
  readonly directory: LogDirectory
  newest: NamedSnapshot | undefined
  readonly writing: Set<SnapshotPurpose>
  /** Commits come one after the other, or the older of two could end up as the newest. */
  readonly commits: Semaphore.Semaphore
  /** While names change nobody looks one up: its file might be gone, or be another, before it is opened. */
  readonly names: Semaphore.Semaphore
  isOpen: boolean
}

/** A snapshot's file, and what was found at its two ends. */
export interface NamedSnapshot {
  readonly name: string
  readonly snapshot: SnapshotFile.WholeSnapshot
}

/** Finds the newest snapshot; changes nothing. Fails where it is damaged or somebody else's. */
export const findNewest = Effect.fnUntraced(function* (
  directory: ReadableDirectory,
  identity: StorageIdentity
) {
  const name = newestOf(yield* directory.list)
  if (name === undefined) return undefined
  const snapshot = yield* examine(directory, name)
  yield* expectOwn(directory, identity, snapshot.header.identity)
  return { name, snapshot } satisfies NamedSnapshot
})

/** Opens the shelf with the newest snapshot, as {@link findNewest} has it. */
export const open = Effect.fnUntraced(function* (directory: LogDirectory, options: SnapshotsOptions) {
  const newest = yield* findNewest(directory, options.identity)
  const shelf = yield* Effect.acquireRelease(
    Effect.sync((): Shelf => ({
      ...options,
      directory,
      newest,
      writing: new Set(),
      commits: Semaphore.makeUnsafe(1),
      names: Semaphore.makeUnsafe(1),
      isOpen: true
    })),
    (shelf) => Effect.sync(() => void (shelf.isOpen = false))
  )
  return toSnapshots(shelf)
})

const examine = (directory: ReadableDirectory, name: string) =>
  useFile(directory, name, (file) => SnapshotFile.examine(file, join(directory.path, name)))

const toSnapshots = (shelf: Shelf): Snapshots => ({
  newest: () => shelf.newest?.snapshot.header.meta,
  tidy: shelf.names.withPermit(removeOlder(shelf)),
  writer: ({ meta, purpose, resume = false }) =>
    expectOpen(shelf).pipe(
      Effect.andThen(Effect.acquireRelease(claim(shelf, purpose), () => letGo(shelf, purpose))),
      Effect.andThen(
        Effect.acquireRelease(openPart(shelf, { meta, purpose, resume }), ({ file }) => file.close)
      ),
      Effect.map((part) => toWriter(shelf, purpose, part))
    ),
  reader: Effect.andThen(
    expectOpen(shelf),
    Effect.suspend(() => {
      if (shelf.newest === undefined) return Effect.undefined
      const { name, snapshot } = shelf.newest
      return Effect.map(
        Effect.acquireRelease(shelf.directory.openToRead(name), (file) => file.close),
        (file) => SnapshotFile.toReader(file, snapshot)
      )
    }).pipe((open) => shelf.names.withPermit(open))
  )
})

/** The snapshot that counts among these file names. */
const newestOf = (names: ReadonlyArray<string>): string | undefined =>
  names.filter(SnapshotFormat.isSnapshotName).sort().at(-1)

const expectOwn = (directory: ReadableDirectory, expected: StorageIdentity, found: StorageIdentity) => {
  const isOwn =
    found.clusterId === expected.clusterId &&
    found.groupId === expected.groupId &&
    found.nodeId === expected.nodeId
  return isOwn
    ? Effect.void
    : Effect.fail(
        new RaftStorage.StorageError({
          reason: new RaftStorage.ForeignStore({ location: directory.path, expected, found })
        })
      )
}

const ioFailed = (shelf: Shelf, detail: string) =>
  new RaftStorage.StorageError({
    reason: new RaftStorage.IoFailed({ operation: "snapshot", location: shelf.directory.path, detail })
  })

const expectOpen = (shelf: Shelf) =>
  Effect.suspend(() => (shelf.isOpen ? Effect.void : Effect.fail(ioFailed(shelf, "the store is closed"))))

const claim = (shelf: Shelf, purpose: SnapshotPurpose) =>
  Effect.suspend(() => {
    if (shelf.writing.has(purpose))
      return Effect.die(new Error(`A snapshot writer for "${purpose}" is open already`))
    shelf.writing.add(purpose)
    return Effect.void
  })

const letGo = (shelf: Shelf, purpose: SnapshotPurpose) =>
  Effect.sync(() => void shelf.writing.delete(purpose))

const openPart = Effect.fnUntraced(function* (
  { chunkBytes, directory, identity }: Shelf,
  options: { readonly meta: SnapshotMeta; readonly purpose: SnapshotPurpose; readonly resume: boolean }
) {
  const name = SnapshotFormat.partNameOf(options.purpose)
  const partOptions = { identity, chunkBytes, meta: options.meta }
  const isThere = (yield* directory.list).includes(name)
  const resumed =
    isThere && options.resume ? yield* SnapshotPart.resume(directory, name, partOptions) : undefined
  if (resumed !== undefined) return resumed
  if (isThere) yield* directory.remove(name)
  return yield* SnapshotPart.begin(directory, name, partOptions)
})

const toWriter = (
  shelf: Shelf,
  purpose: SnapshotPurpose,
  part: SnapshotPart.SnapshotPart
): SnapshotWriter => {
  let isCommitted = false
  let ended: StorageError | undefined

  /** What fails or is interrupted is the last: what the file holds is known only to who reads it anew. */
  const lastIfItFails = (operation: Effect.Effect<void, StorageError>) =>
    Effect.suspend(() => {
      if (isCommitted)
        return Effect.die(
          new Error(`The writer of snapshot ${part.header.meta.id} was used after its commit`)
        )
      if (ended !== undefined) return Effect.fail(ended)
      return expectOpen(shelf).pipe(
        Effect.andThen(operation),
        Effect.tapError((error) => Effect.sync(() => void (ended ??= error))),
        Effect.onInterrupt(() =>
          Effect.sync(() => void (ended ??= ioFailed(shelf, "an earlier operation was interrupted")))
        )
      )
    })

  return {
    offset: () => SnapshotPart.sizeBytes(part),
    write: (piece) => lastIfItFails(SnapshotPart.write(part, piece)),
    commit: lastIfItFails(
      Effect.andThen(
        shelf.commits.withPermit(commit(shelf, purpose, part)),
        Effect.sync(() => void (isCommitted = true))
      )
    )
  }
}

const commit = Effect.fnUntraced(function* (
  shelf: Shelf,
  purpose: SnapshotPurpose,
  part: SnapshotPart.SnapshotPart
) {
  const { directory, newest } = shelf
  const { header } = part
  const partName = SnapshotFormat.partNameOf(purpose)
  if (newest !== undefined && header.meta.lastIndex < newest.snapshot.header.meta.lastIndex) {
    return yield* directory.remove(partName)
  }
  const sizeBytes = yield* SnapshotPart.finish(part)
  const name = SnapshotFormat.nameOf(header.meta)
  const snapshot = { location: join(directory.path, name), header, sizeBytes }
  yield* shelf.names.withPermit(publish(shelf, partName, { name, snapshot }))
})

/**
 * The part gets its name, also where a file has it already: a leader sends a snapshot again when it has not
 * heard that it arrived. That file's checksums are salted otherwise, so who knew it must not open this one.
 */
const publish = Effect.fnUntraced(function* (shelf: Shelf, partName: string, newest: NamedSnapshot) {
  const { directory } = shelf
  yield* directory.rename(partName, newest.name)
  yield* directory.sync
  shelf.newest = newest
  yield* Effect.catch(removeOlder(shelf), (error) =>
    Effect.logWarning("A snapshot that is no longer needed could not be removed", error)
  )
})

/**
 * Not made durable at once: one that comes back when the power fails is older than the newest, and goes again. The
 * next snapshot's name takes this with it.
 */
const removeOlder = (shelf: Shelf) =>
  Effect.gen(function* () {
    const names = yield* shelf.directory.list
    const older = names.filter((name) => SnapshotFormat.isSnapshotName(name) && name !== shelf.newest?.name)
    yield* Effect.forEach(older, shelf.directory.remove, { discard: true })
  })
