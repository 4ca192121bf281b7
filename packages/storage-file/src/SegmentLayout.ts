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

/** Whether each sector says to which segment it belongs. */
export const hasStamps = ({ version }: Version): boolean => version >= 4

export const offsetOf = (segment: Version, position: number): number =>
  hasStamps(segment) ? StampedSectors.offsetOf(position) : position

/** How far records may reach. */
export const roomBytes = (segment: Pick<SegmentHeader, "version" | "fileBytes" | "formerSums">): number => {
  if (hasStamps(segment)) return StampedSectors.roomBytes(segment.fileBytes)
  return segment.formerSums === undefined ? segment.fileBytes : FormerSectors.startOf(segment.fileBytes)
}

/** What is in the file of a segment. */
export interface Contents {
  /** The header and the records, back to back. */
  readonly records: Uint8Array
  /** What tells which part of a write is missing. */
  readonly ground: Ground
}

/** The bytes of `file` become those of the contents, and are changed. */
export const contentsOf = (segment: SegmentHeader, file: Uint8Array): Contents => {
  const life = RecordMarks.lifeOf(segment)
  if (hasStamps(segment)) {
    const gathered = StampedSectors.gather(file)
    return { records: gathered.records, ground: UnstampedSectors.of(gathered, life) }
  }
  const ground = segment.formerSums === undefined ? OverZeros.of(file) : OverFormer.of(file, life)
  return { records: file.subarray(0, roomBytes(segment)), ground }
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
