/**
 * Telling a write that was cut short from damage.
 *
 * A batch is written only after the one before it was flushed. So when the machine stops, at most the
 * last record was never acknowledged, and only that one may be thrown away. Bytes that are no whole
 * record, at the place where one is due, are taken for such a write only if
 *
 * 1. no later record begins after them: a later one proves that this one was acknowledged; and
 * 2. a part of them is missing: what was there before still stands in its place. A disk writes a sector whole
 *    or not at all, so a write that was cut short has left out its end, or a sector of it. A record that is
 *    all there and yet does not match its checksum was changed after it was written.
 *
 * Since format 4 each sector says whether it was written (`UnstampedSectors`). Before, what was there before
 * had to be known: zeros (`OverZeros`), or what a former segment has left (`OverFormer`).
 *
 * All else is damage, and the store does not open. What cannot be told: the very last record before a crash,
 * acknowledged, loses a whole sector or its end to what was there before, or (before format 4) was damaged in
 * one place and has in another a sector of just those bytes that were there before; and the loss of every trace
 * of it. A store that was closed in an orderly way ends with an empty record, so there even the last batch is
 * protected.
 */
import * as BatchRecord from "./BatchRecord.ts"

/**
 * What stands where the next record is due: nothing, a write cut short, or a record that was written whole and has
 * changed since, as a later one shows or the lack of any gap.
 */
export type Tail =
  | { readonly _tag: "Clean" }
  | { readonly _tag: "Torn"; readonly untilByte: number }
  | { readonly _tag: "Damaged"; readonly laterAt: number | undefined }

/** A file by what tells which parts of it were written. All places are positions (`SegmentLayout`). */
export interface Ground {
  /** One past the last byte that was written from `at` on; `at` where none was. */
  readonly endOfData: (at: number) => number
  /** Whether a part is missing of the header that was to begin at `at`, and of which none is whole. */
  readonly isHeaderCutShort: (at: number, untilByte: number) => boolean
  /** Whether a part is missing of the record from `at` to `end`, whose header is whole. */
  readonly isRecordCutShort: (at: number, end: number, untilByte: number) => boolean
}

/** Judges the records from `at` to the end of the last segment, of which no whole one begins at `at`. */
export const judge = (
  records: DataView,
  at: number,
  place: BatchRecord.RecordPlace,
  ground: Ground
): Tail => {
  const untilByte = ground.endOfData(at)
  if (untilByte === at) return { _tag: "Clean" }
  const laterAt = laterRecord(records, at, untilByte, place)
  return laterAt === undefined && isCutShort(records, at, untilByte, place, ground)
    ? { _tag: "Torn", untilByte }
    : { _tag: "Damaged", laterAt }
}

const laterRecord = (
  records: DataView,
  at: number,
  untilByte: number,
  { life, sequence }: BatchRecord.RecordPlace
): number | undefined => {
  for (let there = at + BatchRecord.alignmentBytes; there < untilByte; there += BatchRecord.alignmentBytes) {
    const header = BatchRecord.readHeader(records, there, life)
    if (header !== undefined && header.sequence > sequence) return there
  }
  return undefined
}

const isCutShort = (
  records: DataView,
  at: number,
  untilByte: number,
  { life, sequence }: BatchRecord.RecordPlace,
  ground: Ground
): boolean => {
  const header = BatchRecord.readHeader(records, at, life)
  if (header === undefined) return ground.isHeaderCutShort(at, untilByte)
  if (header.sequence !== sequence) return false
  return ground.isRecordCutShort(at, at + BatchRecord.totalBytes(header.bodyBytes), untilByte)
}
