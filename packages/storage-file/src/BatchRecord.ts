/**
 * One batch on disk. A batch is one record with one checksum over its body, so it is there whole or not
 * at all. The bytes of its entries are those of its blocks, unchanged.
 *
 * A record begins at a multiple of 8. Little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | mark of the start |
 * | 4 | 4 | checksum of bytes 8 to 63, salted with the segment's salt |
 * | 8 | 8 | sequence number: 1 for the first batch of the store, then one more each (float64) |
 * | 16 | 8 | currentTerm (float64) |
 * | 24 | 8 | index to truncate from (float64) |
 * | 32 | 8 | index of the first entry (float64) |
 * | 40 | 4 | bytes of the body: the base, the name voted for, the entries |
 * | 44 | 4 | checksum of the body and the zeros after it |
 * | 48 | 2 | which of the fields count: 1 hard state, 2 truncation, 4 entries, 8 vote, 16 seal, 32 base, 64 opening |
 * | 50 | 2 | bytes of the name voted for |
 * | 52 | 8 | up to which index the log was known to be committed; 0 where nothing is said (float64) |
 * | 60 | 4 | mark of the header's end |
 * | 64 | … | body, zeros up to a multiple of 8 less 4, mark of the end |
 *
 * A base is its index and its term (float64 each). The first record of a segment is its opening: hard
 * state, base, and, in the place of the index of the first entry, the index of the last entry so far.
 * Formats before 2 have neither. What is committed has stood there only since format 5 was in use for a while:
 * before, those bytes were zero, and programs of that time do not look at them.
 *
 * The marks (`RecordMarks`) have no zero byte: where one reads zero, that part of the write never reached the disk.
 */
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import type { NodeId } from "@effect-raft/core/NodeId"
import type { HardState, LogBase, LogExtent, WriteBatch } from "@effect-raft/core/RaftStorage"
import * as Term from "@effect-raft/core/Term"
import { checksum } from "./Checksum.ts"
import * as RecordMarks from "./RecordMarks.ts"
import type { SegmentLife } from "./RecordMarks.ts"

/** A record header that is whole. */
export interface RecordHeader {
  readonly sequence: number
  readonly currentTerm: number
  readonly truncateFrom: number
  readonly firstIndex: number
  readonly bodyBytes: number
  readonly bodyChecksum: number
  readonly flags: number
  readonly voteBytes: number
  readonly committed: number
}

export const recordHeaderBytes = 64
export const alignmentBytes = 8

/** Where in a record the mark of its header's end stands. */
export const headerEndAt = recordHeaderBytes - RecordMarks.markBytes
const maxTailBytes = alignmentBytes - 1 + RecordMarks.markBytes
const maxBodyBytes = 0xffffffff

const baseBytes = 16

const flag = { hardState: 1, truncation: 2, entries: 4, vote: 8, seal: 16, base: 32, opening: 64 } as const

/** Bytes on disk of a record with a body of `bodyBytes`. */
export const totalBytes = (bodyBytes: number): number =>
  Math.ceil((recordHeaderBytes + bodyBytes + RecordMarks.markBytes) / alignmentBytes) * alignmentBytes

/** Bytes on disk of a record with nothing in it, which is what seals a segment. */
export const emptyRecordBytes = totalBytes(0)

const emptyBatch: WriteBatch = { blocks: [] }

/** What a log amounts to where a segment begins: with it, the segments before may be missing. */
export interface Opening {
  readonly hardState: HardState
  readonly log: LogExtent
}

/** Where a record stands: the next number in its log, and what its segment gives to every record. */
export interface RecordPlace {
  readonly sequence: number
  readonly life: SegmentLife
}

/** The record of one batch: what to write, back to back. Valid until the next record is made. */
export interface EncodedRecord {
  readonly parts: ReadonlyArray<Uint8Array>
  readonly totalBytes: number
}

/**
 * Makes records in buffers of its own that are used again for every record, so that a write allocates
 * next to nothing.
 */
export interface RecordEncoder {
  readonly batch: (batch: WriteBatch, place: RecordPlace) => EncodedRecord
  /** The first record of a segment. */
  readonly opening: (opening: Opening, place: RecordPlace) => EncodedRecord
  /** The last record of a segment: the log goes on in the next. */
  readonly seal: (place: RecordPlace) => EncodedRecord
}

export const makeEncoder = (): RecordEncoder => {
  const header = new Uint8Array(recordHeaderBytes)
  const view = new DataView(header.buffer)
  const tail = new Uint8Array(maxTailBytes)
  const tailView = new DataView(tail.buffer)

  const encode = (
    batch: WriteBatch,
    { extraFlags, index }: { readonly extraFlags: number; readonly index: number },
    { life: { marks, salt }, sequence }: RecordPlace
  ): EncodedRecord => {
    const vote = voteOf(batch)
    const bodyBytes = bodyBytesOf(batch, vote.byteLength)
    const total = totalBytes(bodyBytes)
    const ending = tail.subarray(maxTailBytes - (total - recordHeaderBytes - bodyBytes))
    const body = bodyOf(batch, vote)
    tailView.setUint32(maxTailBytes - RecordMarks.markBytes, marks.end, true)
    view.setUint32(0, marks.start, true)
    view.setUint32(headerEndAt, marks.headerEnd, true)
    view.setFloat64(8, sequence, true)
    view.setFloat64(16, batch.hardState?.currentTerm ?? 0, true)
    view.setFloat64(24, batch.truncateFrom ?? 0, true)
    view.setFloat64(32, index, true)
    view.setUint32(40, bodyBytes, true)
    view.setUint32(44, bodyChecksum(body, ending.subarray(0, -RecordMarks.markBytes)), true)
    view.setUint16(48, flagsOf(batch) | extraFlags, true)
    view.setUint16(50, vote.byteLength, true)
    view.setFloat64(52, batch.committed ?? 0, true)
    view.setUint32(4, checksum(header.subarray(8), salt), true)
    return { parts: [header, ...body, ending], totalBytes: total }
  }

  return {
    batch: (batch, place) => encode(batch, { extraFlags: 0, index: batch.blocks[0]?.firstIndex ?? 0 }, place),
    opening: (opening, place) =>
      encode(toBatch(opening), { extraFlags: flag.opening, index: opening.log.lastIndex }, place),
    seal: (place) => encode(emptyBatch, { extraFlags: flag.seal, index: 0 }, place)
  }
}

const toBatch = ({ hardState, log }: Opening): WriteBatch => ({
  hardState,
  base: log.base,
  blocks: [],
  committed: log.committed
})

const noVote = new Uint8Array(0)

const voteOf = ({ hardState }: WriteBatch): Uint8Array =>
  hardState === undefined || hardState.votedFor === null
    ? noVote
    : new TextEncoder().encode(hardState.votedFor)

const bodyOf = (batch: WriteBatch, vote: Uint8Array): ReadonlyArray<Uint8Array> => {
  const body = batch.blocks.map(bytesOf)
  if (vote.byteLength > 0) body.unshift(vote)
  if (batch.base !== undefined) body.unshift(encodeBase(batch.base))
  return body
}

const encodeBase = ({ index, term }: LogBase): Uint8Array => {
  const bytes = new Uint8Array(baseBytes)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, index, true)
  view.setFloat64(8, term, true)
  return bytes
}

const bytesOf = (block: LogEntry.EntryBlock): Uint8Array => block.bytes

/** Bytes on disk of the record of `batch`. */
export const sizeOf = (batch: WriteBatch): number => totalBytes(bodyBytesOf(batch, voteOf(batch).byteLength))

/** Bytes on disk of the first record of a segment. */
export const openingBytes = (opening: Opening): number => sizeOf(toBatch(opening))

const bodyBytesOf = (batch: WriteBatch, voteBytes: number): number => {
  let bodyBytes = voteBytes + (batch.base === undefined ? 0 : baseBytes)
  for (const block of batch.blocks) bodyBytes += block.bytes.byteLength
  if (bodyBytes > maxBodyBytes)
    throw new RangeError(`A batch of ${bodyBytes} bytes is too large to be one record`)
  return bodyBytes
}

const bodyChecksum = (body: ReadonlyArray<Uint8Array>, zeros: Uint8Array): number => {
  let sum = 0
  for (const part of body) sum = checksum(part, sum)
  return zeros.byteLength === 0 ? sum : checksum(zeros, sum)
}

const flagsOf = (batch: WriteBatch): number =>
  (batch.hardState === undefined ? 0 : flag.hardState) |
  (batch.hardState?.votedFor == null ? 0 : flag.vote) |
  (batch.truncateFrom === undefined ? 0 : flag.truncation) |
  (batch.base === undefined ? 0 : flag.base) |
  (batch.blocks.length === 0 ? 0 : flag.entries)

/** The record header at `at`, or `undefined` where there is none, or none that is whole. */
export const readHeader = (
  file: DataView,
  at: number,
  { marks, salt }: SegmentLife
): RecordHeader | undefined => {
  if (file.byteLength - at < emptyRecordBytes || file.getUint32(at, true) !== marks.start) return undefined
  if (file.getUint32(at + headerEndAt, true) !== marks.headerEnd) return undefined
  const covered = new Uint8Array(file.buffer, file.byteOffset + at + 8, recordHeaderBytes - 8)
  if (checksum(covered, salt) !== file.getUint32(at + 4, true)) return undefined
  return {
    sequence: file.getFloat64(at + 8, true),
    currentTerm: file.getFloat64(at + 16, true),
    truncateFrom: file.getFloat64(at + 24, true),
    firstIndex: file.getFloat64(at + 32, true),
    bodyBytes: file.getUint32(at + 40, true),
    bodyChecksum: file.getUint32(at + 44, true),
    flags: file.getUint16(at + 48, true),
    voteBytes: file.getUint16(at + 50, true),
    committed: file.getFloat64(at + 52, true)
  }
}

/** Whether the body after a whole header is whole too. */
export const isBodyWhole = (
  file: DataView,
  at: number,
  header: RecordHeader,
  { marks }: SegmentLife
): boolean => {
  const end = at + totalBytes(header.bodyBytes)
  const markAt = end - RecordMarks.markBytes
  if (end > file.byteLength || file.getUint32(markAt, true) !== marks.end) return false
  const start = at + recordHeaderBytes
  const covered = new Uint8Array(file.buffer, file.byteOffset + start, markAt - start)
  return checksum(covered) === header.bodyChecksum
}

export const isSeal = (header: RecordHeader): boolean => (header.flags & flag.seal) !== 0

export const isOpening = (header: RecordHeader): boolean => (header.flags & flag.opening) !== 0

const noHardState: HardState = { currentTerm: Term.zero, votedFor: null }
const noBase: LogBase = { index: LogIndex.zero, term: Term.zero }

/** The opening of a segment, from its whole first record. */
export const readOpening = (file: Uint8Array, at: number, header: RecordHeader): Opening => {
  const { base = noBase, hardState = noHardState } = fieldsOf(file, at, header)
  return {
    hardState,
    log: {
      base,
      lastIndex: header.firstIndex as LogIndex.LogIndex,
      committed: header.committed as LogIndex.LogIndex
    }
  }
}

/** The batch of a whole record. Its entries are one block, a view of `file`. */
export const readBatch = (
  file: Uint8Array,
  at: number,
  header: RecordHeader
): WriteBatch | LogEntry.MalformedBlock => {
  if ((header.flags & flag.entries) === 0) return { ...fieldsOf(file, at, header), blocks: [] }
  const bodyStart = at + recordHeaderBytes
  const entriesStart = bodyStart + bytesBeforeVote(header) + header.voteBytes
  const block = LogEntry.decodeBlock(
    file.subarray(entriesStart, bodyStart + header.bodyBytes),
    header.firstIndex as LogIndex.LogIndex
  )
  return block instanceof LogEntry.MalformedBlock ? block : { ...fieldsOf(file, at, header), blocks: [block] }
}

const bytesBeforeVote = (header: RecordHeader): number => ((header.flags & flag.base) === 0 ? 0 : baseBytes)

/** All of a batch but its entries. */
const fieldsOf = (file: Uint8Array, at: number, header: RecordHeader): Omit<WriteBatch, "blocks"> => {
  const has = (one: number) => (header.flags & one) !== 0
  return {
    ...(has(flag.hardState) && {
      hardState: {
        currentTerm: header.currentTerm as Term.Term,
        votedFor: has(flag.vote) ? readVote(file, at, header) : null
      }
    }),
    ...(header.committed > 0 && { committed: header.committed as LogIndex.LogIndex }),
    ...(has(flag.truncation) && { truncateFrom: header.truncateFrom as LogIndex.LogIndex }),
    ...(has(flag.base) && { base: readBase(file, at + recordHeaderBytes) })
  }
}

const readVote = (file: Uint8Array, at: number, header: RecordHeader): NodeId => {
  const start = at + recordHeaderBytes + bytesBeforeVote(header)
  return new TextDecoder().decode(file.subarray(start, start + header.voteBytes)) as NodeId
}

const readBase = (file: Uint8Array, at: number): LogBase => {
  const view = new DataView(file.buffer, file.byteOffset + at, baseBytes)
  return {
    index: view.getFloat64(0, true) as LogIndex.LogIndex,
    term: view.getFloat64(8, true) as Term.Term
  }
}
