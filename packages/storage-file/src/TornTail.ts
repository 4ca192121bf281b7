/**
 * Telling a write that was cut short from damage.
 *
 * A batch is written only after the one before it was flushed. So when the machine stops, at most the
 * last record was never acknowledged, and only that one may be thrown away. Bytes that are no whole
 * record, at the place where one is due, are taken for such a write only if
 *
 * 1. no later record begins after them: a later one proves that this one was acknowledged; and
 * 2. a part of them is missing. The file was zeros before, and a disk writes a sector whole or not at
 *    all, so a write that was cut short left zeros: its end, or a sector of it, or (when an earlier
 *    recovery was clearing it away and was cut short itself) its beginning. A record that is all there
 *    and yet does not match its checksum was changed after it was written.
 *
 * All else is damage, and the store does not open. What cannot be told: the very last record before a
 * crash, acknowledged, loses a whole sector or its end to zeros, or was damaged in one place and has a
 * sector of zeros in its payload in another; and the loss of every trace of it. A store that was closed
 * in an orderly way ends with an empty record, so there even the last batch is protected.
 */
import * as BatchRecord from "./BatchRecord.ts"

/** What stands where the next record is due: nothing, a write cut short, or what is wrong there. */
export type Tail =
  | { readonly _tag: "Clean" }
  | { readonly _tag: "Torn"; readonly untilByte: number }
  | { readonly _tag: "Damaged"; readonly detail: string }

/** The least that a disk writes whole. */
const sectorBytes = 512

/** Judges the bytes from `at` to the end of the last segment, of which no whole record begins at `at`. */
export const judge = (
  file: Uint8Array,
  at: number,
  expected: { readonly sequence: number; readonly salt: number }
): Tail => {
  const untilByte = endOfData(file, at)
  if (untilByte === at) return { _tag: "Clean" }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const later = laterRecord(view, at, untilByte, expected)
  if (later !== undefined) {
    return { _tag: "Damaged", detail: `no whole record begins here, but a later one does at byte ${later}` }
  }
  return isCutShort(file, view, at, untilByte, expected)
    ? { _tag: "Torn", untilByte }
    : { _tag: "Damaged", detail: "the record here was written whole and has changed since" }
}

/** One past the last byte that is not zero; `from` where all are. */
const endOfData = (file: Uint8Array, from: number): number => {
  let end = file.byteLength
  while (end > from && file[end - 1] === 0) end--
  return end
}

const laterRecord = (
  view: DataView,
  at: number,
  untilByte: number,
  { salt, sequence }: { readonly sequence: number; readonly salt: number }
): number | undefined => {
  for (let there = at + BatchRecord.alignmentBytes; there < untilByte; there += BatchRecord.alignmentBytes) {
    const header = BatchRecord.readHeader(view, there, salt)
    if (header !== undefined && header.sequence > sequence) return there
  }
  return undefined
}

const isCutShort = (
  file: Uint8Array,
  view: DataView,
  at: number,
  untilByte: number,
  expected: { readonly sequence: number; readonly salt: number }
): boolean => {
  const header = BatchRecord.readHeader(view, at, expected.salt)
  if (header === undefined) return isHeaderCutShort(file, at, untilByte)
  if (header.sequence !== expected.sequence) return false
  const end = at + BatchRecord.totalBytes(header.bodyBytes)
  return untilByte <= end && (untilByte < end || hasZeroSector(file, at, end))
}

const isHeaderCutShort = (file: Uint8Array, at: number, untilByte: number): boolean => {
  const end = at + BatchRecord.recordHeaderBytes
  return file[at] === 0 || untilByte < end || hasZeroSector(file, at, end)
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

const isZero = (file: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) if (file[at] !== 0) return false
  return true
}
