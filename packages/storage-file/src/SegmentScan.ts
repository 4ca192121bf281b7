/** Finds the records of one segment, without judging what stands where they stop. */
import * as BatchRecord from "./BatchRecord.ts"
import * as RecordMarks from "./RecordMarks.ts"
import * as SegmentHeader from "./SegmentHeader.ts"

/** A whole record and where it begins. */
export interface FoundRecord {
  readonly at: number
  readonly header: BatchRecord.RecordHeader
}

export interface SegmentScan {
  /** Of its first record; 0 where the segment does not say, as it has none yet. */
  readonly firstSequence: number
  /** The first record, in segments that have one. */
  readonly opening: FoundRecord | undefined
  /** In order, with consecutive sequence numbers; neither opening nor seal is among them. */
  readonly records: ReadonlyArray<FoundRecord>
  /** The segment ends with a seal: the log goes on in the next. */
  readonly isSealed: boolean
  /** Where the next record is due. */
  readonly end: number
  /** The sequence number that it will have. */
  readonly nextSequence: number
}

/** `file` has the records of the segment back to back (`SegmentLayout.contentsOf`). */
export const scan = (file: Uint8Array, segment: SegmentHeader.SegmentHeader): SegmentScan => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const life = RecordMarks.lifeOf(segment)
  const records: Array<FoundRecord> = []
  let opening: FoundRecord | undefined
  let at = SegmentHeader.headerBytes
  const firstSequence = segment.firstSequence ?? BatchRecord.readHeader(view, at, life)?.sequence ?? 0
  let nextSequence = firstSequence
  while (true) {
    const header = BatchRecord.readHeader(view, at, life)
    if (
      header === undefined ||
      header.sequence !== nextSequence ||
      !BatchRecord.isBodyWhole(view, at, header, life)
    ) {
      return { firstSequence, opening, records, isSealed: false, end: at, nextSequence }
    }
    const isSealed = BatchRecord.isSeal(header)
    if (BatchRecord.isOpening(header)) opening ??= { at, header }
    else if (!isSealed) records.push({ at, header })
    at += BatchRecord.totalBytes(header.bodyBytes)
    nextSequence++
    if (isSealed) return { firstSequence, opening, records, isSealed, end: at, nextSequence }
  }
}
