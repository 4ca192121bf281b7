/**
 * Entries and the blocks that carry them.
 *
 * An entry becomes bytes once, on the leader. The same bytes are the record in every log, the unit on
 * the wire and the chunk in memory; they are read again only when the entry is applied. So the unit
 * that moves through the system is not the entry but the {@link EntryBlock}: consecutive entries, back
 * to back, with the offset of each. A block can be cut between any two entries without copying.
 *
 * One entry, little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | length of the payload in bytes |
 * | 4 | 1 | kind: 0 no-op, 1 command, 2 configuration, 3 session, 4 upgrade |
 * | 5 | 3 | zero |
 * | 8 | 8 | term (float64) |
 * | 16 | 8 | the leader's clock when it took the proposal, in milliseconds (float64) |
 * | 24 | … | payload |
 */
import * as Schema from "effect/Schema"
import { ByteSlab } from "./ByteSlab.ts"
import * as LogIndex from "./LogIndex.ts"
import type { Term } from "./Term.ts"

/**
 * What an entry is for: nothing (a leader's first entry), a command of the machine, a membership, a client's
 * session (see `sessions/SessionRecord`), another version of the machine (see `MachineVersion`).
 */
export const EntryKind = Schema.Literals(["NoOp", "Command", "Configuration", "Session", "Upgrade"])
export type EntryKind = typeof EntryKind.Type

/** What clients may ask to have in the log. */
export const ProposalKind = Schema.Literals(["Command", "Session"])
export type ProposalKind = typeof ProposalKind.Type

/** An entry that is not yet in a log: it has neither index nor term. */
export interface Draft {
  readonly kind: EntryKind
  readonly payload: Uint8Array
}

/**
 * An entry as read from a block. `payload` is a view into the block, and the block may be gone once its entries are
 * applied and covered by a snapshot: who keeps it longer copies it.
 */
export interface LogEntry {
  readonly index: LogIndex.LogIndex
  readonly term: Term
  readonly kind: EntryKind
  /** The leader's clock when it took the proposal, in milliseconds since the epoch. */
  readonly timestampMillis: number
  readonly payload: Uint8Array
}

/** Consecutive entries in encoded form. Immutable: nobody writes into `bytes` after it was made. */
export interface EntryBlock {
  /** Index of the first entry. */
  readonly firstIndex: LogIndex.LogIndex
  /** Term of the first entry. */
  readonly firstTerm: Term
  /** Term of the last entry; terms never decrease within a log. */
  readonly lastTerm: Term
  /** The encoded entries, back to back. */
  readonly bytes: Uint8Array
  /** Where each entry begins in `bytes`; its length is the number of entries, never 0. */
  readonly offsets: ReadonlyArray<number>
}

/** Bytes before the payload of every entry. */
export const entryHeaderBytes = 24

const kindCodes = { NoOp: 0, Command: 1, Configuration: 2, Session: 3, Upgrade: 4 } as const
const kindsByCode: ReadonlyArray<EntryKind> = ["NoOp", "Command", "Configuration", "Session", "Upgrade"]

/** The bytes that an entry with this payload takes in a log. */
export const encodedBytes = (payloadBytes: number): number => entryHeaderBytes + payloadBytes

/**
 * Writes `drafts` as consecutive entries of one term. `drafts` must not be empty. `take` gives room for so many bytes;
 * without it small blocks share buffers.
 */
export const encodeBlock = (
  drafts: ReadonlyArray<Draft>,
  options: {
    readonly firstIndex: LogIndex.LogIndex
    readonly term: Term
    readonly timestampMillis: number
    readonly take?: (bytes: number) => Uint8Array
  }
): EntryBlock => {
  let total = 0
  for (const draft of drafts) total += encodedBytes(draft.payload.byteLength)
  const bytes = options.take === undefined ? slab.take(total) : options.take(total)
  const view = viewOf(bytes)
  const offsets = new Array<number>(drafts.length)
  let at = 0
  for (let position = 0; position < drafts.length; position++) {
    const { kind, payload } = drafts[position]!
    const start = bytes.byteOffset + at
    offsets[position] = at
    view.setUint32(start, payload.byteLength, true)
    view.setUint32(start + 4, kindCodes[kind], true)
    view.setFloat64(start + 8, options.term, true)
    view.setFloat64(start + 16, options.timestampMillis, true)
    copyInto(bytes, at + entryHeaderBytes, payload)
    at += encodedBytes(payload.byteLength)
  }
  return { firstIndex: options.firstIndex, firstTerm: options.term, lastTerm: options.term, bytes, offsets }
}

/** Small blocks share buffers, for which they are dropped nearly together. */
const slab = new ByteSlab()

/** The buffer that was looked into last. Blocks that come one after the other mostly lie in the same one. */
let viewed: ArrayBufferLike = new ArrayBuffer(0)
let view: DataView = new DataView(viewed)

/** All of the buffer in which `bytes` lie: to make a view takes longer than to read a short entry. */
const viewOf = ({ buffer }: Uint8Array): DataView => {
  if (buffer === viewed) return view
  viewed = buffer
  return (view = new DataView(buffer))
}

/** Up to this size a loop copies faster than `set`, which costs a call out of JavaScript. */
const shortBytes = 48

const copyInto = (target: Uint8Array, at: number, source: Uint8Array): void => {
  if (source.byteLength > shortBytes) return target.set(source, at)
  for (let i = 0; i < source.byteLength; i++) target[at + i] = source[i]!
}

/** Why bytes that claim to be a block are none. */
export class MalformedBlock extends Schema.TaggedError<MalformedBlock>()("MalformedBlock", {
  /** Where in the bytes the first wrong entry begins. */
  offset: Schema.Natural,
  detail: Schema.String
}) {
  override get message() {
    return `Malformed entries at byte ${this.offset}: ${this.detail}`
  }
}

/**
 * Reads the entry boundaries of bytes that came from outside (a disk, a peer). Payloads are not looked
 * at and nothing is copied: the block is a view of `bytes`.
 */
export const decodeBlock = (
  bytes: Uint8Array,
  firstIndex: LogIndex.LogIndex
): EntryBlock | MalformedBlock => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const offsets: Array<number> = []
  let at = 0
  let lastTerm = 0
  while (at < bytes.byteLength) {
    const problem = entryProblem(view, at, lastTerm)
    if (problem !== undefined) return new MalformedBlock({ offset: at, detail: problem })
    offsets.push(at)
    lastTerm = view.getFloat64(at + 8, true)
    at += encodedBytes(view.getUint32(at, true))
  }
  if (offsets.length === 0)
    return new MalformedBlock({ offset: 0, detail: "a block holds at least one entry" })
  return {
    firstIndex,
    firstTerm: view.getFloat64(8, true) as Term,
    lastTerm: lastTerm as Term,
    bytes,
    offsets
  }
}

const entryProblem = (view: DataView, at: number, lastTerm: number): string | undefined => {
  if (view.byteLength - at < entryHeaderBytes) return "the entry header is cut off"
  const payloadBytes = view.getUint32(at, true)
  if (view.byteLength - at - entryHeaderBytes < payloadBytes) return "the payload is cut off"
  if (view.getUint32(at + 4, true) >= kindsByCode.length)
    return `an entry of the unknown kind ${view.getUint32(at + 4, true)}, which a newer program may know`
  const term = view.getFloat64(at + 8, true)
  if (!Number.isSafeInteger(term) || term < 1) return `${term} is not a term`
  if (term < lastTerm) return `term ${term} follows term ${lastTerm}`
  if (!Number.isFinite(view.getFloat64(at + 16, true))) return "the timestamp is not a number"
  return undefined
}

/** Whether the memory of a block was taken back (see `LogMemory`): of a block that is there no byte is missing. */
export const isGone = (block: EntryBlock): boolean => block.bytes.byteLength === 0

/** How many entries a block holds. */
export const count = (block: EntryBlock): number => block.offsets.length

/** Index of the last entry of a block. */
export const lastIndex = (block: EntryBlock): LogIndex.LogIndex =>
  LogIndex.plus(block.firstIndex, block.offsets.length - 1)

const startOf = (block: EntryBlock, position: number): number =>
  position < block.offsets.length ? block.offsets[position]! : block.bytes.byteLength

/** Term of the entry at `index`, which must lie in the block. */
export const termAt = (block: EntryBlock, index: LogIndex.LogIndex): Term => {
  if (block.firstTerm === block.lastTerm) return block.firstTerm
  const start = block.bytes.byteOffset + startOf(block, index - block.firstIndex)
  return viewOf(block.bytes).getFloat64(start + 8, true) as Term
}

/** Size in the log of the entries from `from` to `to`, both included, both in the block. */
export const bytesBetween = (block: EntryBlock, from: LogIndex.LogIndex, to: LogIndex.LogIndex): number =>
  startOf(block, to - block.firstIndex + 1) - startOf(block, from - block.firstIndex)

/** Reads the entry at `index`, which must lie in the block. */
export const entryAt = (block: EntryBlock, index: LogIndex.LogIndex): LogEntry =>
  readEntry(block, index - block.firstIndex)

const readEntry = (block: EntryBlock, position: number): LogEntry => {
  const view = viewOf(block.bytes)
  const payloadStart = startOf(block, position) + entryHeaderBytes
  const start = block.bytes.byteOffset + startOf(block, position)
  return {
    index: LogIndex.plus(block.firstIndex, position),
    term: view.getFloat64(start + 8, true) as Term,
    kind: kindsByCode[view.getUint32(start + 4, true)]!,
    timestampMillis: view.getFloat64(start + 16, true),
    payload: block.bytes.subarray(payloadStart, payloadStart + view.getUint32(start, true))
  }
}

/** The part of a block from `from` to `to`, both included, both in the block. Copies nothing. */
export const slice = (block: EntryBlock, from: LogIndex.LogIndex, to: LogIndex.LogIndex): EntryBlock => {
  if (from === block.firstIndex && to === lastIndex(block)) return block
  const first = from - block.firstIndex
  const last = to - block.firstIndex
  const start = startOf(block, first)
  return {
    firstIndex: from,
    firstTerm: termAt(block, from),
    lastTerm: termAt(block, to),
    bytes: block.bytes.subarray(start, startOf(block, last + 1)),
    offsets: block.offsets.slice(first, last + 1).map((offset) => offset - start)
  }
}

/** Whether a block has configuration entries. */
export const hasConfigurations = ({ bytes, offsets }: EntryBlock): boolean => {
  for (const offset of offsets) if (bytes[offset + 4] === kindCodes.Configuration) return true
  return false
}

/** The configuration entries of a block. Most have none, and cost a byte each to look at. */
export const configurationsIn = (block: EntryBlock): ReadonlyArray<LogEntry> => {
  const found: Array<LogEntry> = []
  block.offsets.forEach((offset, position) => {
    if (block.bytes[offset + 4] === kindCodes.Configuration)
      found.push(entryAt(block, LogIndex.plus(block.firstIndex, position)))
  })
  return found
}

/** Every entry of a block, in order. */
export const entries = (block: EntryBlock): Array<LogEntry> =>
  block.offsets.map((_, position) => readEntry(block, position))
