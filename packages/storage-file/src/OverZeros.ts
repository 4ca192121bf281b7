/**
 * What is missing of a write into a file that was zeros before, in formats before 4.
 *
 * It has left zeros: its end, or a sector of it, or (when an earlier recovery was clearing it away and was cut
 * short itself) its beginning. Nothing else ends in zeros, or is zeros for a whole sector, but a payload.
 */
import * as BatchRecord from "./BatchRecord.ts"
import { sectorBytes } from "./StampedSectors.ts"
import type { Ground } from "./TornTail.ts"

export const of = (file: Uint8Array): Ground => {
  const isRecordCutShort = (at: number, end: number, untilByte: number): boolean =>
    untilByte <= end && (untilByte < end || hasZeroSector(file, at, end))
  const isHeaderCutShort = (at: number, untilByte: number): boolean => {
    const end = at + BatchRecord.recordHeaderBytes
    return file[at] === 0 || untilByte < end || hasZeroSector(file, at, end)
  }
  return { endOfData: (at) => endOfData(file, at), isHeaderCutShort, isRecordCutShort }
}

/** One past the last byte that is not zero; `from` where all are. */
const endOfData = (file: Uint8Array, from: number): number => {
  let end = file.byteLength
  while (end > from && file[end - 1] === 0) end--
  return end
}

/** Whether all that lies in one sector, of the bytes from `start` to `end`, is zero. */
const hasZeroSector = (file: Uint8Array, start: number, end: number): boolean => {
  for (let from = start; from < end;) {
    const to = Math.min(end, (Math.floor(from / sectorBytes) + 1) * sectorBytes)
    if (isZero(file, from, to)) return true
    from = to
  }
  return false
}

export const isZero = (file: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) if (file[at] !== 0) return false
  return true
}
