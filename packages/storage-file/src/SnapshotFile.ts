/**
 * Reading snapshots: a finished one, of which every byte that is handed out was checked, and an unfinished
 * one, up to where it is whole. Holds no more in memory than the chunks of which it was asked for a part.
 */
import * as Effect from "effect/Effect"
import { DamagedStore, StorageError } from "@effect-raft/core/RaftStorage"
import type { SnapshotReader } from "@effect-raft/core/RaftStorage"
import type { ReadableFile } from "./LogFileSystem.ts"
import * as SnapshotFormat from "./SnapshotFormat.ts"

/** A snapshot whose header and footer are as they were written. */
export interface WholeSnapshot {
  readonly location: string
  readonly header: SnapshotFormat.SnapshotHeader
  readonly sizeBytes: number
}

const damaged = (location: string, offset: number, detail: string) =>
  new StorageError({ reason: new DamagedStore({ location, offset, detail }) })

/** The header of an open file. Fails with `DamagedStore` or `UnsupportedFormat`. */
export const readHeader = Effect.fnUntraced(function* (file: ReadableFile, location: string) {
  const headerBytes = SnapshotFormat.headerBytesOf(yield* file.read(0, SnapshotFormat.prefixBytes))
  if (headerBytes === undefined) return yield* damaged(location, 0, "this is no snapshot")
  const bytes = yield* file.read(0, headerBytes)
  if (bytes.byteLength < headerBytes)
    return yield* damaged(location, bytes.byteLength, "the file ends here, within its header")
  const header = SnapshotFormat.decodeHeader(bytes, location)
  if ("_tag" in header) return yield* new StorageError({ reason: header })
  return header
})

/** Opens a finished snapshot and checks its two ends; the contents are checked as they are read. */
export const examine = Effect.fnUntraced(function* (file: ReadableFile, location: string) {
  const header = yield* readHeader(file, location)
  const fileBytes = yield* file.sizeBytes
  const footerStart = Math.max(0, fileBytes - SnapshotFormat.footerBytes)
  const footer = yield* file.read(footerStart, SnapshotFormat.footerBytes)
  const sizeBytes = SnapshotFormat.decodeFooter(footer, header.salt)
  if (sizeBytes === undefined)
    return yield* damaged(location, footerStart, "the snapshot does not end with its footer")
  if (SnapshotFormat.footerAt(header, sizeBytes) !== footerStart)
    return yield* damaged(
      location,
      footerStart,
      `the file has not the length of ${sizeBytes} bytes of contents`
    )
  return { location, header, sizeBytes } satisfies WholeSnapshot
})

/**
 * The contents of the chunks from `first` to `last`, each of them checked. In one read: on a busy node each costs
 * a turn of the event loop, which is longer than the read.
 */
const readChunks = Effect.fnUntraced(function* (
  file: ReadableFile,
  snapshot: WholeSnapshot,
  first: number,
  last: number
) {
  const { header, location } = snapshot
  const start = SnapshotFormat.chunkAt(header, first)
  const bytes = yield* file.read(start, endOfChunk(snapshot, last) - start)
  let filled = 0
  for (let number = first; number <= last; number++) {
    const at = SnapshotFormat.chunkAt(header, number)
    const end = endOfChunk(snapshot, number) - start
    const chunk = end <= bytes.byteLength ? bytes.subarray(at - start, end) : undefined
    const contents = chunk && SnapshotFormat.decodeChunk(chunk, { number, salt: header.salt })
    if (contents === undefined)
      return yield* damaged(location, at, "the checksum of this part of the snapshot does not match")
    // Over what stands between the chunks: one buffer less for each read.
    bytes.set(contents, filled)
    filled += contents.byteLength
  }
  return bytes.subarray(0, filled)
})

const endOfChunk = ({ header, sizeBytes }: WholeSnapshot, number: number): number =>
  SnapshotFormat.chunkAt(header, number) +
  SnapshotFormat.chunkHeaderBytes +
  Math.min(header.chunkBytes, sizeBytes - number * header.chunkBytes)

/** The file is closed by whoever opened it. */
export const toReader = (file: ReadableFile, snapshot: WholeSnapshot): SnapshotReader => ({
  meta: snapshot.header.meta,
  sizeBytes: snapshot.sizeBytes,
  read: (offset, maxBytes) => {
    const { chunkBytes } = snapshot.header
    const end = Math.min(snapshot.sizeBytes, offset + maxBytes)
    if (offset >= end) return Effect.succeed(new Uint8Array(0))
    const first = Math.floor(offset / chunkBytes)
    const start = first * chunkBytes
    return Effect.map(readChunks(file, snapshot, first, Math.floor((end - 1) / chunkBytes)), (contents) =>
      contents.subarray(offset - start, end - start)
    )
  }
})

/** Calls `onChunk` with the bytes of each full chunk of an unfinished snapshot, up to the first that is not whole. */
export const forEachFullChunk = Effect.fnUntraced(function* <E>(
  file: ReadableFile,
  header: SnapshotFormat.SnapshotHeader,
  onChunk: (bytes: Uint8Array, at: number) => Effect.Effect<void, E>
) {
  for (let number = 0; ; number++) {
    const at = SnapshotFormat.chunkAt(header, number)
    const bytes = yield* file.read(at, SnapshotFormat.chunkHeaderBytes + header.chunkBytes)
    const isFull = bytes.byteLength === SnapshotFormat.chunkHeaderBytes + header.chunkBytes
    if (!isFull || SnapshotFormat.decodeChunk(bytes, { number, salt: header.salt }) === undefined)
      return number
    yield* onChunk(bytes, at)
  }
})

/** Reads all of a finished snapshot, and fails where it is damaged. */
export const verify = Effect.fnUntraced(function* (file: ReadableFile, location: string) {
  const snapshot = yield* examine(file, location)
  const chunks = Math.ceil(snapshot.sizeBytes / snapshot.header.chunkBytes)
  for (let number = 0; number < chunks; number++) yield* readChunks(file, snapshot, number, number)
  return snapshot
})
