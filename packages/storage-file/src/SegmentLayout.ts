/**
 * Where the records of a segment stand in its file: since format 4 in sectors that have a stamp each, before that
 * back to back. A `position` is a place among the records, an `offset` one in the file.
 */
import * as FormerSectors from "./FormerSectors.ts"
import * as OverFormer from "./OverFormer.ts"
import * as OverZeros from "./OverZeros.ts"
import * as RecordMarks from "./RecordMarks.ts"
import type { SegmentHeader } from "./SegmentHeader.ts"
import * as StampedSectors from "./StampedSectors.ts"
import type { Ground } from "./TornTail.ts"
import * as UnstampedSectors from "./UnstampedSectors.ts"

type Version = Pick<SegmentHeader, "version">

const hasStamps = ({ version }: Version): boolean => version >= 4

export const offsetOf = (segment: Version, position: number): number =>
  hasStamps(segment) ? StampedSectors.offsetOf(position) : position

/** How far records may reach. */
export const roomBytes = (segment: Pick<SegmentHeader, "version" | "fileBytes" | "formerSums">): number => {
  if (hasStamps(segment)) return StampedSectors.roomBytes(segment.fileBytes)
  return segment.formerSums === undefined ? segment.fileBytes : FormerSectors.startOf(segment.fileBytes)
}

/** The header and the records of a file, back to back. */
export const recordsOf = (segment: SegmentHeader, file: Uint8Array): Uint8Array =>
  hasStamps(segment) ? StampedSectors.gather(file) : file.subarray(0, roomBytes(segment))

/** What tells the part of a write that is missing in a file. */
export const groundOf = (segment: SegmentHeader, file: Uint8Array, records: Uint8Array): Ground => {
  const life = RecordMarks.lifeOf(segment)
  if (hasStamps(segment)) return UnstampedSectors.of(file, records, life)
  return segment.formerSums === undefined ? OverZeros.of(file) : OverFormer.of(file, life)
}

/** Bytes to be written, and where. */
export interface Placed {
  readonly parts: ReadonlyArray<Uint8Array>
  readonly offset: number
}

/** Gives the `parts` of records their place. The result is valid until the next call. */
export type Place = (segment: SegmentHeader, parts: ReadonlyArray<Uint8Array>, position: number) => Placed

export const makePlace = (): Place => {
  const spread = StampedSectors.makeSpread()
  return (segment, parts, position) => ({
    parts: hasStamps(segment) ? [spread(parts, position, RecordMarks.lifeOf(segment).stamp)] : parts,
    offset: offsetOf(segment, position)
  })
}
