/**
 * What is missing of a write into a file that was a segment before, in format 3.
 *
 * It has left what stood there. Of a sector that lies in the record from end to end the sums of the former life
 * tell it (`FormerSectors`). The sector in which a record begins has the end of the one before it, too, and
 * no sum that fits; nor has the one in which its header ends, or it itself. But those have marks, which are
 * of this life: where a mark is missing, and not just changed in one byte, it was never written.
 *
 * What an earlier recovery has cleared away is zeros, and counts as not written, too.
 */
import * as BatchRecord from "./BatchRecord.ts"
import * as FormerSectors from "./FormerSectors.ts"
import * as OverZeros from "./OverZeros.ts"
import * as RecordMarks from "./RecordMarks.ts"
import { sectorBytes } from "./StampedSectors.ts"
import type { Ground } from "./TornTail.ts"

/** `file` is the whole file, with its sums. */
export const of = (file: Uint8Array, { marks }: RecordMarks.SegmentLife): Ground => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const roomBytes = FormerSectors.startOf(file.byteLength)

  const isBare = (sector: number): boolean =>
    FormerSectors.isUntouched(view, sector) ||
    OverZeros.isZero(file, sector * sectorBytes, (sector + 1) * sectorBytes)

  const isMarked = (at: number, mark: number): boolean =>
    at + RecordMarks.markBytes <= roomBytes && RecordMarks.standsAt(view, at, mark)

  const endOfData = (at: number): number => {
    let sector = roomBytes / sectorBytes - 1
    while (sector > sectorOf(at) && isBare(sector)) sector--
    return sector > sectorOf(at) || isMarked(at, marks.start) ? (sector + 1) * sectorBytes : at
  }

  const isHeaderCutShort = (at: number): boolean =>
    !isMarked(at, marks.start) || !isMarked(at + BatchRecord.headerEndAt, marks.headerEnd)

  const isRecordCutShort = (at: number, end: number, untilByte: number): boolean => {
    if (sectorOf(untilByte - 1) > sectorOf(end - 1)) return false
    if (!isMarked(end - RecordMarks.markBytes, marks.end)) return true
    for (let sector = sectorOf(at) + 1; sector < sectorOf(end - 1); sector++) if (isBare(sector)) return true
    return false
  }

  return { endOfData, isHeaderCutShort, isRecordCutShort }
}

const sectorOf = (at: number): number => Math.floor(at / sectorBytes)
