/**
 * What is missing of a write into stamped sectors, whatever stood there before.
 *
 * A sector that was not reached has the stamp of a former segment, or none (`StampedSectors`). The sector in which
 * a record begins may have its stamp from the record before; there the mark at the record's start tells. All marks
 * are looked at, so that a write which ended within a sector is seen, too, though no disk does that; one of which
 * a single byte has changed counts as there, because that is damage.
 *
 * What an earlier recovery has cleared away is zeros, and has no stamp either.
 */
import * as BatchRecord from "./BatchRecord.ts"
import * as OverZeros from "./OverZeros.ts"
import * as RecordMarks from "./RecordMarks.ts"
import * as StampedSectors from "./StampedSectors.ts"
import type { Ground } from "./TornTail.ts"

const { endOf, sectorOf } = StampedSectors

export const of = (
  { records, stamps }: StampedSectors.Gathered,
  { marks, stamp }: RecordMarks.SegmentLife
): Ground => {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)

  const isStamped = (sector: number): boolean => stamps[sector] === stamp

  const isMarked = (at: number, mark: number): boolean =>
    at + RecordMarks.markBytes <= records.byteLength && RecordMarks.standsAt(view, at, mark)

  /** Behind the last record of a sector there are zeros. */
  const isBegunIn = (sector: number, at: number): boolean =>
    isMarked(at, marks.start) || (isStamped(sector) && !OverZeros.isZero(records, at, endOf(sector)))

  const endOfData = (at: number): number => {
    let sector = sectorOf(records.byteLength - 1)
    while (sector > sectorOf(at) && !isStamped(sector)) sector--
    return sector > sectorOf(at) || isBegunIn(sector, at) ? endOf(sector) : at
  }

  const isHeaderCutShort = (at: number): boolean =>
    !isMarked(at, marks.start) || !isMarked(at + BatchRecord.headerEndAt, marks.headerEnd)

  const isRecordCutShort = (at: number, end: number, untilByte: number): boolean => {
    if (sectorOf(untilByte - 1) > sectorOf(end - 1)) return false
    if (!isMarked(end - RecordMarks.markBytes, marks.end)) return true
    for (let sector = sectorOf(at); sector <= sectorOf(end - 1); sector++) if (!isStamped(sector)) return true
    return false
  }

  return { endOfData, isHeaderCutShort, isRecordCutShort }
}
