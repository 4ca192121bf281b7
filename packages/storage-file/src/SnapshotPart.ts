/**
 * A snapshot that is being written, beside the others and under a name that no recovery believes in.
 *
 * What an earlier writer left can be gone on with: its chunks are read, checked and written once more. The
 * last is for the disk, not for us: after a flush that failed, or that never came, the kernel may show
 * bytes that the disk does not have, and take them for clean.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"
import * as SnapshotFile from "./SnapshotFile.ts"
import * as SnapshotFormat from "./SnapshotFormat.ts"

/** What is flushed at a time, so that the log never waits behind a flush of a whole snapshot. */
const flushBytes = 4 * 1024 * 1024

export interface SnapshotPart {
  readonly header: SnapshotFormat.SnapshotHeader
  readonly file: LogFile
  /** The chunk that is being filled, and how far. */
  readonly chunk: Uint8Array
  chunkFill: number
  /** Chunks that were written. */
  chunks: number
  unflushedBytes: number
  /** The flush of what was written before. There is never more than one. */
  flushing: Fiber.Fiber<void, StorageError> | undefined
}

export interface PartOptions {
  readonly identity: StorageIdentity
  readonly meta: SnapshotMeta
  readonly chunkBytes: number
}

/** Begins a part anew, in the place of one that is there. */
export const begin = Effect.fnUntraced(function* (
  directory: LogDirectory,
  name: string,
  options: PartOptions
) {
  const salt = Math.floor((yield* Random.next) * 0x1_0000_0000)
  const bytes = SnapshotFormat.encodeHeader({ ...options, salt })
  const header = { ...options, salt, headerBytes: bytes.byteLength }
  return yield* keepOpen(directory.create(name, 0), (file) =>
    Effect.as(file.write([bytes], 0), toPart(file, header, 0))
  )
})

/** Goes on with the part that is there; `undefined` where it is of another snapshot, or not even begun. */
export const resume = (directory: LogDirectory, name: string, options: PartOptions) =>
  keepOpen(
    directory.open(name),
    Effect.fnUntraced(function* (file) {
      const header = yield* readHeader(file, name)
      if (header === undefined || !isSame(header, options)) {
        yield* file.close
        return undefined
      }
      yield* file.write([SnapshotFormat.encodeHeader(header)], 0)
      const chunks = yield* SnapshotFile.forEachFullChunk(file, header, (chunk, at) =>
        file.write([chunk], at)
      )
      yield* file.truncate(SnapshotFormat.chunkAt(header, chunks))
      return toPart(file, header, chunks)
    })
  )

/** A part that was hardly begun is no damage: nobody relies on it. */
const readHeader = (file: LogFile, name: string) =>
  Effect.catchIf(
    SnapshotFile.readHeader(file, name),
    ({ reason }) => reason._tag !== "IoFailed",
    () => Effect.void
  )

const keepOpen = <A, E>(
  open: Effect.Effect<LogFile, E>,
  use: (file: LogFile) => Effect.Effect<A, StorageError>
) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(open, (file) => Effect.onError(restore(use(file)), () => file.close))
  )

const isSame = (header: SnapshotFormat.SnapshotHeader, { identity, meta }: PartOptions): boolean =>
  header.meta.id === meta.id &&
  header.meta.lastIndex === meta.lastIndex &&
  header.meta.lastTerm === meta.lastTerm &&
  header.identity.clusterId === identity.clusterId &&
  header.identity.groupId === identity.groupId &&
  header.identity.nodeId === identity.nodeId

const toPart = (file: LogFile, header: SnapshotFormat.SnapshotHeader, chunks: number): SnapshotPart => ({
  header,
  file,
  chunk: new Uint8Array(header.chunkBytes),
  chunkFill: 0,
  chunks,
  unflushedBytes: 0,
  flushing: undefined
})

export const sizeBytes = ({ chunkFill, chunks, header }: SnapshotPart): number =>
  chunks * header.chunkBytes + chunkFill

/** Adds a piece; what does not fill a chunk waits in memory. */
export const write = Effect.fnUntraced(function* (part: SnapshotPart, piece: Uint8Array) {
  const { chunkBytes } = part.header
  for (let at = 0; at < piece.byteLength;) {
    const left = piece.byteLength - at
    const isWhole = part.chunkFill === 0 && left >= chunkBytes
    const taken = piece.subarray(
      at,
      at + (isWhole ? left - (left % chunkBytes) : chunkBytes - part.chunkFill)
    )
    at += taken.byteLength
    if (isWhole) {
      yield* writeChunks(part, taken)
    } else {
      part.chunk.set(taken, part.chunkFill)
      part.chunkFill += taken.byteLength
      if (part.chunkFill === chunkBytes) yield* writeChunks(part, part.chunk)
    }
  }
})

/** Writes chunks, of which only the last one may be short, in one go. */
const writeChunks = Effect.fnUntraced(function* (part: SnapshotPart, contents: Uint8Array) {
  const { header } = part
  const parts: Array<Uint8Array> = []
  let number = part.chunks
  for (let at = 0; at < contents.byteLength; at += header.chunkBytes) {
    const chunk = contents.subarray(at, at + header.chunkBytes)
    const before = new Uint8Array(SnapshotFormat.chunkHeaderBytes)
    parts.push(SnapshotFormat.encodeChunkHeader(before, chunk, { number, salt: header.salt }), chunk)
    number++
  }
  yield* part.file.write(parts, SnapshotFormat.chunkAt(header, part.chunks))
  part.chunks = number
  part.chunkFill = 0
  part.unflushedBytes += contents.byteLength
  if (part.unflushedBytes >= flushBytes) yield* beginFlush(part)
})

/** The next bytes are written while these are flushed. */
const beginFlush = Effect.fnUntraced(function* (part: SnapshotPart) {
  yield* endFlush(part)
  part.unflushedBytes = 0
  part.flushing = yield* Effect.forkChild(part.file.sync, { startImmediately: true })
})

/** Waits for the flush that was begun, if one was, and fails if that did. */
const endFlush = (part: SnapshotPart) =>
  Effect.suspend(() => (part.flushing === undefined ? Effect.void : Fiber.join(part.flushing)))

/**
 * Writes what is left and the footer, and returns the size of the contents. The file is whole and durable after it.
 */
export const finish = Effect.fnUntraced(function* (part: SnapshotPart) {
  const { header } = part
  const size = sizeBytes(part)
  if (part.chunkFill > 0) yield* writeChunks(part, part.chunk.subarray(0, part.chunkFill))
  yield* part.file.write(
    [SnapshotFormat.encodeFooter(size, header.salt)],
    SnapshotFormat.footerAt(header, size)
  )
  yield* endFlush(part)
  yield* part.file.sync
  return size
})
