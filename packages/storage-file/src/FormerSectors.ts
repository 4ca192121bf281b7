/**
 * What stood in a file before it became the segment that it is now.
 *
 * A segment that nobody needs is not removed but written over by a later one: to fill a new file with zeros
 * costs the disk as much again as all that is then written into it. But then it is not zeros that a write which
 * was cut short leaves behind in the sectors that it did not reach. So before its new life a checksum of
 * each of its sectors is put down, four bytes each, in sectors of their own at the end of the file: a sector
 * that still has its sum was not written to.
 */
import * as Effect from "effect/Effect"
import type { StorageError } from "@effect-raft/core/RaftStorage"
import { checksum } from "./Checksum.ts"
import type { ReadableFile } from "./LogFileSystem.ts"

/** The least that a disk writes whole. */
export const sectorBytes = 512

const sumBytes = 4
const pieceBytes = 64 * 1024
const piecesAtATime = 4

/** Where the sums begin in a file of this size, which is one of whole sectors. */
export const startOf = (fileBytes: number): number =>
  Math.floor((fileBytes - (fileBytes / sectorBytes) * sumBytes) / sectorBytes) * sectorBytes

/** The sums of all sectors of a file, as they are written to its end. */
export const take = (file: ReadableFile, fileBytes: number): Effect.Effect<Uint8Array, StorageError> => {
  const sums = new Uint8Array(fileBytes - startOf(fileBytes))
  const view = new DataView(sums.buffer)
  const takePiece = (start: number) =>
    Effect.map(file.read(start, Math.min(pieceBytes, fileBytes - start)), (piece) => {
      for (let at = 0; at < piece.byteLength; at += sectorBytes) {
        const sector = (start + at) / sectorBytes
        view.setUint32(sector * sumBytes, checksum(piece.subarray(at, at + sectorBytes)), true)
      }
    })
  const starts = Array.from({ length: Math.ceil(fileBytes / pieceBytes) }, (_, piece) => piece * pieceBytes)
  return Effect.as(Effect.forEach(starts, takePiece, { concurrency: piecesAtATime, discard: true }), sums)
}

/** Whether a sector of a file holds what it held before, by the sums at the file's end. */
export const isUntouched = (file: DataView, sector: number): boolean => {
  const start = sector * sectorBytes
  const bytes = new Uint8Array(file.buffer, file.byteOffset + start, sectorBytes)
  return checksum(bytes) === file.getUint32(startOf(file.byteLength) + sector * sumBytes, true)
}

/** The checksum of the sums at the end of a file. */
export const checksumOf = (file: Uint8Array): number => checksum(file.subarray(startOf(file.byteLength)))
