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
 * What was there before is zeros (`OverZeros`), or what a former segment has left (`OverFormer`).
 *
 * All else is damage, and the store does not open. What cannot be told: the very last record before a
 * crash, acknowledged, loses a whole sector or its end to what was there before, or was damaged in one place and
 * has in another a sector of just those bytes that were there before; and the loss of every trace of it. A store
 * that was closed in an orderly way ends with an empty record, so there even the last batch is protected.
 */
import * as BatchRecord from "./BatchRecord.ts"

/** What stands where the next record is due: nothing, a write cut short, or what is wrong there. */
export type Tail =
  | { readonly _tag: "Clean" }
  | { readonly _tag: "Torn"; readonly untilByte: number }
  | { readonly _tag: "Damaged"; readonly detail: string }

/** A file by what was in it before, which a write that was cut short has left in part. */
export interface Ground {
  /** One past the last byte that was written from `at` on; `at` where none was. */
  readonly endOfData: (at: number) => number
  /** Whether a part is missing of the header that was to begin at `at`, and of which none is whole. */
  readonly isHeaderCutShort: (at: number, untilByte: number) => boolean
  /** Whether a part is missing of the record from `at` to `end`, whose header is whole. */
  readonly isRecordCutShort: (at: number, end: number, untilByte: number) => boolean
}

/** Judges the bytes from `at` to the end of the last segment, of which no whole record begins at `at`. */
export const judge = (file: DataView, at: number, place: BatchRecord.RecordPlace, ground: Ground): Tail => {
  const untilByte = ground.endOfData(at)
  if (untilByte === at) return { _tag: "Clean" }
  const later = laterRecord(file, at, untilByte, place)
  if (later !== undefined) {
    return { _tag: "Damaged", detail: `no whole record begins here, but a later one does at byte ${later}` }
  }
  return isCutShort(file, at, untilByte, place, ground)
    ? { _tag: "Torn", untilByte }
    : { _tag: "Damaged", detail: "the record here was written whole and has changed since" }
}

const laterRecord = (
  file: DataView,
  at: number,
  untilByte: number,
  { life, sequence }: BatchRecord.RecordPlace
): number | undefined => {
  for (let there = at + BatchRecord.alignmentBytes; there < untilByte; there += BatchRecord.alignmentBytes) {
    const header = BatchRecord.readHeader(file, there, life)
    if (header !== undefined && header.sequence > sequence) return there
  }
  return undefined
}

const isCutShort = (
  file: DataView,
  at: number,
  untilByte: number,
  { life, sequence }: BatchRecord.RecordPlace,
  ground: Ground
): boolean => {
  const header = BatchRecord.readHeader(file, at, life)
  if (header === undefined) return ground.isHeaderCutShort(at, untilByte)
  if (header.sequence !== sequence) return false
  return ground.isRecordCutShort(at, at + BatchRecord.totalBytes(header.bodyBytes), untilByte)
}
