/**
 * The snapshots of a store in memory: one shelf holds the newest whole one and the unfinished parts.
 *
 * A shelf outlives the store that is open on it, as a disk does. When and whether a commit takes effect is
 * for the owner to say, through {@link Disk}: at once for a memory that never fails, late or never for the
 * disk of a test.
 */
import * as Bytes from "effect/Bytes"
import * as Effect from "effect/Effect"
import type {
  SnapshotPurpose,
  SnapshotReader,
  SnapshotStore,
  SnapshotWriter,
  StorageError
} from "./RaftStorage.ts"
import type { SnapshotMeta } from "./Snapshot.ts"

/** A snapshot that is being written. */
interface Part {
  readonly meta: SnapshotMeta
  pieces: Array<Uint8Array>
  sizeBytes: number
}

interface WholeSnapshot {
  readonly meta: SnapshotMeta
  readonly bytes: Uint8Array
}

export interface Shelf {
  newest: WholeSnapshot | undefined
  readonly parts: Map<SnapshotPurpose, Part>
}

export const emptyShelf = (): Shelf => ({ newest: undefined, parts: new Map() })

/** What stands between a store and its shelf. */
export interface Disk {
  /** Fails once the store may not be used any more. */
  readonly expectOpen: Effect.Effect<void, StorageError>
  /** Runs `change` when it is durable; it may also run later, or never, if this fails or is interrupted. */
  readonly persist: (change: () => void) => Effect.Effect<void, StorageError>
}

/** The snapshots of one opening of a store. */
export const open = (shelf: Shelf, disk: Disk): SnapshotStore => {
  const writing = new Set<SnapshotPurpose>()

  const claim = (purpose: SnapshotPurpose) =>
    Effect.suspend(() => {
      if (writing.has(purpose))
        return Effect.die(new Error(`A snapshot writer for "${purpose}" is open already`))
      writing.add(purpose)
      return Effect.void
    })

  return {
    writer: ({ meta, purpose, resume = false }) =>
      disk.expectOpen.pipe(
        Effect.andThen(
          Effect.acquireRelease(claim(purpose), () => Effect.sync(() => void writing.delete(purpose)))
        ),
        Effect.map(() => toWriter(shelf, disk, purpose, takePart(shelf, purpose, meta, resume)))
      ),
    reader: Effect.map(disk.expectOpen, () => shelf.newest && toReader(shelf.newest))
  }
}

const takePart = (shelf: Shelf, purpose: SnapshotPurpose, meta: SnapshotMeta, resume: boolean): Part => {
  const left = shelf.parts.get(purpose)
  if (resume && left !== undefined && left.meta.id === meta.id) return left
  const part: Part = { meta, pieces: [], sizeBytes: 0 }
  shelf.parts.set(purpose, part)
  return part
}

const toWriter = (shelf: Shelf, disk: Disk, purpose: SnapshotPurpose, part: Part): SnapshotWriter => {
  let isCommitted = false
  const unlessCommitted = <A>(operation: Effect.Effect<A, StorageError>) =>
    Effect.suspend(() =>
      isCommitted
        ? Effect.die(new Error(`The writer of snapshot ${part.meta.id} was used after its commit`))
        : Effect.andThen(disk.expectOpen, operation)
    )

  return {
    offset: () => part.sizeBytes,
    write: (piece) =>
      unlessCommitted(
        Effect.sync(() => {
          part.pieces.push(piece.slice())
          part.sizeBytes += piece.byteLength
        })
      ),
    commit: unlessCommitted(
      Effect.suspend(() => {
        isCommitted = true
        return disk.persist(() => putInPlace(shelf, purpose, part))
      })
    )
  }
}

const putInPlace = (shelf: Shelf, purpose: SnapshotPurpose, part: Part): void => {
  if (shelf.parts.get(purpose) === part) shelf.parts.delete(purpose)
  if (shelf.newest !== undefined && part.meta.lastIndex < shelf.newest.meta.lastIndex) return
  shelf.newest = { meta: part.meta, bytes: Bytes.concat(part.pieces) }
}

const toReader = ({ bytes, meta }: WholeSnapshot): SnapshotReader => ({
  meta,
  sizeBytes: bytes.byteLength,
  read: (offset, maxBytes) => Effect.sync(() => bytes.subarray(offset, offset + maxBytes))
})
