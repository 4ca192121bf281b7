/**
 * One batch on disk. A batch is one record with one checksum over its body, so it is there whole or not
 * at all. The bytes of its entries are those of its blocks, unchanged.
 *
 * A record begins at a multiple of 8. Little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | start mark |
 * | 4 | 4 | checksum of bytes 8 to 63, salted with the segment's salt |
 * | 8 | 8 | sequence number: 1 for the first batch of the store, then one more each (float64) |
 * | 16 | 8 | currentTerm (float64) |
 * | 24 | 8 | index to truncate from (float64) |
 * | 32 | 8 | index of the first entry (float64) |
 * | 40 | 4 | bytes of the body: the name voted for, then the entries |
 * | 44 | 4 | checksum of the body and the zeros after it |
 * | 48 | 2 | which of the fields count: 1 hard state, 2 truncation, 4 entries, 8 vote, 16 seal |
 * | 50 | 2 | bytes of the name voted for |
 * | 52 | 8 | zero |
 * | 60 | 4 | end of header mark |
 * | 64 | … | body, zeros up to a multiple of 8 less 4, end mark |
 *
 * The marks have no zero byte: where one reads zero, that part of the write never reached the disk.
 */
import * as LogEntry from "@effect-raft/core/LogEntry"
import type { LogIndex } from "@effect-raft/core/LogIndex"
import type { NodeId } from "@effect-raft/core/NodeId"
import type { WriteBatch } from "@effect-raft/core/RaftStorage"
import type { Term } from "@effect-raft/core/Term"
import { checksum } from "./Checksum.ts"

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
}

export const recordHeaderBytes = 64
export const alignmentBytes = 8

const startMark = 0xa55ac33c
const headerEndMark = 0x3cc35aa5
const endMark = 0x5aa53cc3
const endMarkBytes = 4
const maxTailBytes = alignmentBytes - 1 + endMarkBytes
const maxBodyBytes = 0xffffffff

const flag = { hardState: 1, truncation: 2, entries: 4, vote: 8, seal: 16 } as const

/** Bytes on disk of a record with a body of `bodyBytes`. */
export const totalBytes = (bodyBytes: number): number =>
  Math.ceil((recordHeaderBytes + bodyBytes + endMarkBytes) / alignmentBytes) * alignmentBytes

/** Bytes on disk of a record with nothing in it, which is what seals a segment. */
export const emptyRecordBytes = totalBytes(0)

const emptyBatch: WriteBatch = { blocks: [] }

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
  readonly batch: (
    batch: WriteBatch,
    position: { readonly sequence: number; readonly salt: number }
  ) => EncodedRecord
  /** The last record of a segment: the log goes on in the next. */
  readonly seal: (position: { readonly sequence: number; readonly salt: number }) => EncodedRecord
}

export const makeEncoder = (): RecordEncoder => {
  const header = new Uint8Array(recordHeaderBytes)
  const view = new DataView(header.buffer)
  const tail = new Uint8Array(maxTailBytes)
  const noVote = new Uint8Array(0)
  new DataView(tail.buffer).setUint32(maxTailBytes - endMarkBytes, endMark, true)
  view.setUint32(0, startMark, true)
  view.setUint32(60, headerEndMark, true)

  const encode = (
    batch: WriteBatch,
    extraFlags: number,
    { salt, sequence }: { readonly sequence: number; readonly salt: number }
  ): EncodedRecord => {
    const votedFor = batch.hardState?.votedFor ?? null
    const vote = votedFor === null ? noVote : new TextEncoder().encode(votedFor)
    const bodyBytes = bodyBytesOf(batch, vote.byteLength)
    const total = totalBytes(bodyBytes)
    const ending = tail.subarray(maxTailBytes - (total - recordHeaderBytes - bodyBytes))
    const body = vote.byteLength === 0 ? batch.blocks.map(bytesOf) : [vote, ...batch.blocks.map(bytesOf)]
    view.setFloat64(8, sequence, true)
    view.setFloat64(16, batch.hardState?.currentTerm ?? 0, true)
    view.setFloat64(24, batch.truncateFrom ?? 0, true)
    view.setFloat64(32, batch.blocks[0]?.firstIndex ?? 0, true)
    view.setUint32(40, bodyBytes, true)
    view.setUint32(44, bodyChecksum(body, ending.subarray(0, -endMarkBytes)), true)
    view.setUint16(48, flagsOf(batch) | extraFlags, true)
    view.setUint16(50, vote.byteLength, true)
    view.setUint32(4, checksum(header.subarray(8), salt), true)
    return { parts: [header, ...body, ending], totalBytes: total }
  }

  return {
    batch: (batch, position) => encode(batch, 0, position),
    seal: (position) => encode(emptyBatch, flag.seal, position)
  }
}

const bytesOf = (block: LogEntry.EntryBlock): Uint8Array => block.bytes

/** Bytes on disk of the record of `batch`. */
export const sizeOf = (batch: WriteBatch): number =>
  totalBytes(bodyBytesOf(batch, new TextEncoder().encode(batch.hardState?.votedFor ?? "").byteLength))

const bodyBytesOf = (batch: WriteBatch, voteBytes: number): number => {
  let bodyBytes = voteBytes
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
  (batch.blocks.length === 0 ? 0 : flag.entries)

/** The record header at `at`, or `undefined` where there is none, or none that is whole. */
export const readHeader = (file: DataView, at: number, salt: number): RecordHeader | undefined => {
  if (file.byteLength - at < emptyRecordBytes || file.getUint32(at, true) !== startMark) return undefined
  if (file.getUint32(at + 60, true) !== headerEndMark) return undefined
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
    voteBytes: file.getUint16(at + 50, true)
  }
}

/** Whether the body after a whole header is whole too. */
export const isBodyWhole = (file: DataView, at: number, header: RecordHeader): boolean => {
  const end = at + totalBytes(header.bodyBytes)
  if (end > file.byteLength || file.getUint32(end - endMarkBytes, true) !== endMark) return false
  const start = at + recordHeaderBytes
  const covered = new Uint8Array(file.buffer, file.byteOffset + start, end - endMarkBytes - start)
  return checksum(covered) === header.bodyChecksum
}

export const isSeal = (header: RecordHeader): boolean => (header.flags & flag.seal) !== 0

/** The batch of a whole record. Its entries are one block, a view of `file`. */
export const readBatch = (
  file: Uint8Array,
  at: number,
  header: RecordHeader
): WriteBatch | LogEntry.MalformedBlock => {
  const bodyStart = at + recordHeaderBytes
  const entriesStart = bodyStart + header.voteBytes
  const has = (one: number) => (header.flags & one) !== 0
  const block = has(flag.entries)
    ? LogEntry.decodeBlock(
        file.subarray(entriesStart, bodyStart + header.bodyBytes),
        header.firstIndex as LogIndex
      )
    : undefined
  if (block instanceof LogEntry.MalformedBlock) return block
  const name = new TextDecoder().decode(file.subarray(bodyStart, entriesStart))
  return {
    ...(has(flag.hardState) && {
      hardState: {
        currentTerm: header.currentTerm as Term,
        votedFor: has(flag.vote) ? (name as NodeId) : null
      }
    }),
    ...(has(flag.truncation) && { truncateFrom: header.truncateFrom as LogIndex }),
    blocks: block === undefined ? [] : [block]
  }
}
