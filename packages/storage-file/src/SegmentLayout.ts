/**
 * Where the records of a segment stand in its file: since format 4 in sectors that have a stamp each, before that
 * back to back. A `position` is a place among the records, an `offset` one in the file.
 */
import * as Effect from "effect/Effect"
import * as FormerSectors from "./FormerSectors.ts"
import type { LogFile } from "./LogFileSystem.ts"
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

/**
 * Gives the `parts` of records their place, a portion of them at a time. Each is valid until the next is asked for, or
 * other records get theirs.
 */
export type Place = (
  segment: SegmentHeader,
  parts: ReadonlyArray<Uint8Array>,
  position: number
) => Generator<Placed, void>

export const makePlace = (): Place => {
  const spread = StampedSectors.makeSpread()
  return function* (segment, parts, position) {
    let offset = offsetOf(segment, position)
    if (!hasStamps(segment)) {
      yield { parts, offset }
      return
    }
    for (const portion of spread(parts, position, RecordMarks.lifeOf(segment).stamp)) {
      yield { parts: [portion], offset }
      offset += portion.byteLength
    }
  }
}

/** Writes records to their place. */
export const write = Effect.fnUntraced(function* (file: LogFile, placed: Iterable<Placed>) {
  for (const { offset, parts } of placed) yield* file.write(parts, offset)
})
