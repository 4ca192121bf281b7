/**
 * The log in memory: entries by index, with the term of each (paper, section 5.3).
 *
 * A `RaftLog` is an immutable view of append-only chunks. Appending to the newest view pushes onto the
 * shared arrays and costs no copy: older views do not look past their own end. Anything else (an append
 * to an older view, a truncation) copies the list of chunks, never the entries.
 *
 * A log begins after its `base`. What lies at or before the base is in a snapshot (section 7).
 */
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { LogBase } from "../RaftStorage.ts"
import * as Term from "../Term.ts"

type EntryBlock = LogEntry.EntryBlock

export interface RaftLog {
  /** The place before the first entry. */
  readonly base: LogBase
  /** Chunks in order; only the first `chunkCount` belong to this view. Shared, append-only. */
  readonly chunks: Array<EntryBlock>
  /** `chunkEnds[i]`: bytes of all chunks up to and including `i`. Shared as `chunks` is. */
  readonly chunkEnds: Array<number>
  readonly chunkCount: number
  /** Index of the last entry; that of the base when empty. */
  readonly lastIndex: LogIndex.LogIndex
  /** Term of the last entry; that of the base when empty. */
  readonly lastTerm: Term.Term
}

const beginning: LogBase = { index: LogIndex.zero, term: Term.zero }

/** A log without entries that begins after `base`. */
export const empty = (base: LogBase = beginning): RaftLog => ({
  base,
  chunks: [],
  chunkEnds: [],
  chunkCount: 0,
  lastIndex: base.index,
  lastTerm: base.term
})

/** A log of consecutive blocks, the first of which begins right after `base`. */
export const fromBlocks = (blocks: ReadonlyArray<EntryBlock>, base: LogBase = beginning): RaftLog =>
  blocks.reduce(append, empty(base))

/** The log with one more block, which must begin right after the last entry. */
export const append = (log: RaftLog, block: EntryBlock): RaftLog => {
  if (block.firstIndex !== log.lastIndex + 1) {
    throw new Error(`A block at ${block.firstIndex} does not follow index ${log.lastIndex}`)
  }
  const isNewest = log.chunks.length === log.chunkCount
  const chunks = isNewest ? log.chunks : log.chunks.slice(0, log.chunkCount)
  const chunkEnds = isNewest ? log.chunkEnds : log.chunkEnds.slice(0, log.chunkCount)
  chunkEnds.push((log.chunkCount === 0 ? 0 : chunkEnds[log.chunkCount - 1]!) + block.bytes.byteLength)
  chunks.push(block)
  return {
    base: log.base,
    chunks,
    chunkEnds,
    chunkCount: log.chunkCount + 1,
    lastIndex: LogEntry.lastIndex(block),
    lastTerm: block.lastTerm
  }
}

/** The log without the entry at `index` and all after it. */
export const truncateFrom = (log: RaftLog, index: LogIndex.LogIndex): RaftLog => {
  if (index > log.lastIndex) return log
  const position = chunkOf(log, index)
  const kept = log.chunks.slice(0, position)
  const cut = log.chunks[position]!
  if (cut.firstIndex < index) kept.push(LogEntry.slice(cut, cut.firstIndex, LogIndex.plus(index, -1)))
  return fromBlocks(kept, log.base)
}

/** The log without the entries up to `index`, which must be in it or its base. */
export const compactTo = (log: RaftLog, index: LogIndex.LogIndex): RaftLog => {
  if (index <= log.base.index) return log
  const base: LogBase = { index, term: termAt(log, index)! }
  return fromBlocks(blocksBetween(log, LogIndex.plus(index, 1), log.lastIndex), base)
}

/**
 * Position of the chunk that holds `index`, which must be in the log. Mostly that is one of the last: it is looked
 * for in steps that double, from the end, and then between the last two of these.
 */
const chunkOf = (log: RaftLog, index: LogIndex.LogIndex): number => {
  let high = log.chunkCount - 1
  let low = high
  for (let step = 1; low > 0 && log.chunks[low]!.firstIndex > index; step *= 2) {
    high = low - 1
    low = Math.max(0, low - step)
  }
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (log.chunks[middle]!.firstIndex <= index) low = middle
    else high = middle - 1
  }
  return low
}

/** Term of the entry at `index`, or of the base; `undefined` before the base and past the end. */
export const termAt = (log: RaftLog, index: LogIndex.LogIndex): Term.Term | undefined => {
  if (index === log.lastIndex) return log.lastTerm
  if (index === log.base.index) return log.base.term
  if (index < log.base.index || index > log.lastIndex) return undefined
  return LogEntry.termAt(log.chunks[chunkOf(log, index)]!, index)
}

/** The entry at `index`, which must be in the log. */
export const entryAt = (log: RaftLog, index: LogIndex.LogIndex): LogEntry.LogEntry =>
  LogEntry.entryAt(log.chunks[chunkOf(log, index)]!, index)

/** Bytes of the entries from `from` to `to`, both included; 0 when there are none. */
export const bytesBetween = (log: RaftLog, from: LogIndex.LogIndex, to: LogIndex.LogIndex): number =>
  from > to ? 0 : bytesUpTo(log, to) - bytesUpTo(log, LogIndex.plus(from, -1))

const bytesUpTo = (log: RaftLog, index: LogIndex.LogIndex): number => {
  if (index <= log.base.index) return 0
  const position = chunkOf(log, index)
  const block = log.chunks[position]!
  const before = position === 0 ? 0 : log.chunkEnds[position - 1]!
  return before + LogEntry.bytesBetween(block, block.firstIndex, index)
}

/**
 * Blocks from `from` on, as many whole entries as fit into `maxBytes` and `maxEntries`, but at least one
 * entry. Empty when `from` is past the end.
 */
export const blocksFrom = (
  log: RaftLog,
  from: LogIndex.LogIndex,
  bounds: { readonly maxBytes: number; readonly maxEntries: number }
): ReadonlyArray<EntryBlock> => {
  const blocks: Array<EntryBlock> = []
  if (from > log.lastIndex) return blocks
  let bytes = 0
  let next = from
  const lastAllowed = Math.min(log.lastIndex, from + bounds.maxEntries - 1)
  for (let position = chunkOf(log, from); position < log.chunkCount && next <= lastAllowed; position++) {
    const chunk = log.chunks[position]!
    const last = fittingIndex(
      chunk,
      next,
      Math.min(LogEntry.lastIndex(chunk), lastAllowed),
      bounds.maxBytes - bytes
    )
    if (last < next && blocks.length > 0) break
    const taken = LogEntry.slice(chunk, next, LogIndex.max(next, last))
    blocks.push(taken)
    bytes += taken.bytes.byteLength
    next = LogIndex.plus(LogEntry.lastIndex(taken), 1)
    if (last < LogEntry.lastIndex(chunk)) break
  }
  return blocks
}

/** The last index from `from` to `to` up to which the entries of `block` fit into `room` bytes. */
const fittingIndex = (
  block: EntryBlock,
  from: LogIndex.LogIndex,
  to: number,
  room: number
): LogIndex.LogIndex => {
  let last = to as LogIndex.LogIndex
  if (LogEntry.bytesBetween(block, from, last) <= room) return last
  let low = from - 1
  while (low < last) {
    const middle = LogIndex.plus(LogIndex.zero, Math.ceil((low + last) / 2))
    if (LogEntry.bytesBetween(block, from, middle) <= room) low = middle
    else last = LogIndex.plus(middle, -1)
  }
  return last
}

/** The blocks of the entries from `from` to `to`, both included and both in the log. */
export const blocksBetween = (
  log: RaftLog,
  from: LogIndex.LogIndex,
  to: LogIndex.LogIndex
): ReadonlyArray<EntryBlock> =>
  from > to ? [] : blocksFrom(log, from, { maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: to - from + 1 })

/** The first index in the log that has the term of the entry at `index`, which must be in it. */
export const firstIndexOfTermAt = (log: RaftLog, index: LogIndex.LogIndex): LogIndex.LogIndex => {
  const term = termAt(log, index)
  let first = index
  while (first > log.base.index + 1 && termAt(log, LogIndex.plus(first, -1)) === term) {
    const chunk = log.chunks[chunkOf(log, LogIndex.plus(first, -1))]!
    // A chunk of one term is passed in one step.
    first = chunk.firstTerm === term ? chunk.firstIndex : LogIndex.plus(first, -1)
  }
  return first
}

/** The last index up to `from` whose term is at most `term`; the base's when there is none. */
export const lastIndexUpToTerm = (
  log: RaftLog,
  from: LogIndex.LogIndex,
  term: Term.Term
): LogIndex.LogIndex => {
  let low: number = log.base.index
  let high = LogIndex.max(log.base.index, LogIndex.min(from, log.lastIndex))
  // Terms never decrease along a log, so the entries of at most this term are a prefix.
  while (low < high) {
    const middle = LogIndex.plus(LogIndex.zero, Math.ceil((low + high) / 2))
    if (termAt(log, middle)! <= term) low = middle
    else high = LogIndex.plus(middle, -1)
  }
  return high
}

/** The leader's clock in the last entry, in milliseconds; 0 when the log is empty. */
export const lastTimestampMillis = (log: RaftLog): number =>
  log.chunkCount === 0 ? 0 : entryAt(log, log.lastIndex).timestampMillis

/** Whether a log that ends in `lastTerm` at `lastIndex` is at least as up-to-date as this one (section 5.4.1). */
export const isUpToDate = (
  log: RaftLog,
  other: { readonly lastLogIndex: LogIndex.LogIndex; readonly lastLogTerm: Term.Term }
): boolean =>
  other.lastLogTerm > log.lastTerm ||
  (other.lastLogTerm === log.lastTerm && other.lastLogIndex >= log.lastIndex)
