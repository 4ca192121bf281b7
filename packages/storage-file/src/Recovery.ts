/**
 * Reading a log back: every segment in order, every record in it, up to where the last write ended.
 *
 * Segments that a snapshot made needless are gone. The reading begins with the first segment after the last gap:
 * its opening says what the log amounted to there, and which entries must have been before. If the log is found to
 * begin after all of those, nothing is missing; if not, a segment was lost.
 *
 * A segment gets its name before it is begun, so the last one may be empty (`SegmentTurn`): then the log ends with
 * the one before it. If the first write into it was cut short it is as good as empty.
 *
 * Nothing is changed here. What must be changed before the log may go on (a write that was cut short cleared away,
 * the last record written once more, a seal) is returned for `WriteAheadLog` to do.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as Term from "@effect-raft/core/Term"
import * as BatchRecord from "./BatchRecord.ts"
import type { ReadableDirectory } from "./LogFileSystem.ts"
import * as SegmentFiles from "./SegmentFiles.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"
import * as SegmentReading from "./SegmentReading.ts"
import type { Segment } from "./SegmentReading.ts"
import * as StampedSectors from "./StampedSectors.ts"
import type * as TornTail from "./TornTail.ts"

/** What the log held, and where and how it goes on. */
export interface RecoveredLog {
  readonly state: RaftStorage.StoredState
  readonly notes: ReadonlyArray<string>
  readonly segment: SegmentHeader.SegmentHeader
  /** The largest index of any entry in that segment. */
  readonly maxIndex: LogIndex.LogIndex
  /** The segments before it, in order. */
  readonly closed: ReadonlyArray<SegmentFiles.ClosedSegment>
  /** Numbers of segments that were to be removed already. */
  readonly needless: ReadonlyArray<number>
  /** Where among the records of the last segment the next one goes. */
  readonly position: number
  readonly nextSequence: number
  /**
   * What was last written into the last segment, and may never have been flushed: a record, the first with its
   * opening.
   */
  readonly lastWrite: Uint8Array | undefined
  /** Bytes of the file, from that position on, that a write left behind which was cut short. */
  readonly tornBytes: number
  /** The segment before the last, where that has been begun and this has no seal. */
  readonly unsealed: UnsealedSegment | undefined
  /** The segment after the last, which has its name already. */
  readonly ahead: AheadSegment | undefined
}

export interface UnsealedSegment {
  readonly segment: SegmentHeader.SegmentHeader
  /** Where its seal goes, and the sequence number that was left for it. */
  readonly position: number
  readonly sequence: number
}

/** A segment that was not begun, or whose first write was cut short and has left so many bytes. */
export interface AheadSegment {
  readonly number: number
  readonly tornBytes: number
}

/** A log while it is read back. */
interface Replay {
  /** Begins where the segments begin that are there: after the base of the log, maybe. */
  readonly state: RaftStorage.StoredState
  /** Where the log was told to begin. */
  base: RaftStorage.LogBase
  readonly closed: Array<SegmentFiles.ClosedSegment>
  unsealed: UnsealedSegment | undefined
}

/** Reads the log of `identity` from the segments with these numbers, of which there is at least one. */
export const recover = (
  directory: ReadableDirectory,
  identity: StorageIdentity,
  numbers: ReadonlyArray<number>
) => recoverFrom(directory, identity, numbers, Number.POSITIVE_INFINITY)

/** An opening is shorter than a sector, and so is the header before it. */
const begunBytes = 2 * StampedSectors.sectorBytes

/** The same for a log that was begun just now: behind the opening of its only segment nothing was ever written. */
export const recoverBegun = (directory: ReadableDirectory, identity: StorageIdentity, number: number) =>
  recoverFrom(directory, identity, [number], begunBytes)

/** No more than `maxBytes` of each segment are read. */
const recoverFrom = Effect.fnUntraced(function* (
  directory: ReadableDirectory,
  identity: StorageIdentity,
  numbers: ReadonlyArray<number>,
  maxBytes: number
) {
  const readSegment = (number: number) => SegmentReading.read(directory, identity, number, maxBytes)
  const firstOfRun = numbers.findLastIndex((number, at) => number - 1 !== numbers[at - 1])
  const gap = numbers[firstOfRun]! - 1
  let position = firstOfRun
  let current = yield* readSegment(numbers[position]!)
  while (!canBegin(current)) {
    if (++position === numbers.length) return yield* missing(directory, gap, ", and later ones are there")
    current = yield* readSegment(numbers[position]!)
  }
  yield* expectBegun(current)
  const needless = numbers.slice(0, position)
  const replay = begin(current)
  let ahead: AheadSegment | undefined
  for (const number of numbers.slice(position + 1)) {
    const next = yield* readSegment(number)
    if (number === numbers.at(-1) && mayBeAhead(current, next)) {
      ahead = yield* expectEmpty(next, current.scan.nextSequence + 1)
    } else {
      yield* expectBegun(next)
      yield* absorbClosed(replay, current, next)
      yield* expectContinued(replay, next)
      current = next
    }
  }
  const last = yield* absorbLast(replay, current)
  yield* expectNothingMissing(directory, replay, gap)
  const { closed, unsealed } = replay
  const notes = ahead === undefined ? last.notes : [...last.notes, ...notesOf(directory, ahead)]
  return { ...last, notes, closed, needless, unsealed, ahead } satisfies RecoveredLog
})

const missing = (directory: ReadableDirectory, number: number, detail: string) =>
  SegmentReading.damaged(
    join(directory.path, SegmentHeader.nameOf(number)),
    0,
    `this segment is missing${detail}`
  )

/** Before format 2 only the first segment of all says what was before it: nothing. */
const canBegin = ({ header }: Segment): boolean => header.number === 1 || SegmentHeader.hasOpening(header)

const begin = (segment: Segment): Replay => {
  const state = RaftStorage.emptyState()
  const opening = openingOf(segment)
  if (opening === undefined) return { state, base: state.base, closed: [], unsealed: undefined }
  state.hardState = opening.hardState
  state.committed = opening.log.committed
  state.base = beforeKnown(opening.log.lastIndex)
  return { state, base: opening.log.base, closed: [], unsealed: undefined }
}

/** The place up to which no entry was seen; nobody asks for its term. */
const beforeKnown = (index: LogIndex.LogIndex): RaftStorage.LogBase => ({ index, term: Term.zero })

const openingOf = ({ records, scan }: Segment): BatchRecord.Opening | undefined =>
  scan.opening && BatchRecord.readOpening(records, scan.opening.at, scan.opening.header)

/** The opening of a segment says what the segments before it add up to. */
const expectContinued = ({ base, state }: Replay, segment: Segment) => {
  const opening = openingOf(segment)
  const isSame =
    opening === undefined ||
    (opening.hardState.currentTerm === state.hardState.currentTerm &&
      opening.hardState.votedFor === state.hardState.votedFor &&
      opening.log.base.index === base.index &&
      opening.log.lastIndex === RaftStorage.lastIndexOf(state))
  return isSame
    ? Effect.void
    : Effect.fail(
        SegmentReading.damaged(
          segment.location,
          SegmentHeader.headerBytes,
          "it does not go on where the segment before it ends"
        )
      )
}

const expectNothingMissing = (directory: ReadableDirectory, { base, state }: Replay, gap: number) => {
  if (state.base.index > base.index) {
    const entries = `, and with it entries from index ${base.index + 1} to ${state.base.index}`
    return Effect.fail(missing(directory, gap, entries))
  }
  state.base = base
  return Effect.void
}

const firstNotWhole = ({ location }: Segment) =>
  SegmentReading.damaged(location, SegmentHeader.headerBytes, "the first record of the segment is not whole")

const expectBegun = (segment: Segment) =>
  SegmentReading.isBegun(segment) ? Effect.void : Effect.fail(firstNotWhole(segment))

/** A seal is written when the next segment has been begun for good: after one nothing may be missing. */
const mayBeAhead = (current: Segment, next: Segment): boolean =>
  !SegmentReading.isBegun(next) && SegmentHeader.mayBeAhead(next.header) && !current.scan.isSealed

/** A segment that was to begin with the record `sequence` has nothing in it, or a write that was cut short. */
const expectEmpty = Effect.fnUntraced(function* (segment: Segment, sequence: number) {
  const { header, scan } = segment
  const tail = yield* SegmentReading.judgeTail(segment, sequence)
  if (tail._tag === "Damaged") return yield* firstNotWhole(segment)
  const start = SegmentLayout.offsetOf(header, scan.end)
  const tornBytes = tail._tag === "Torn" ? SegmentLayout.offsetOf(header, tail.untilByte) - start : 0
  SegmentReading.giveBack(segment)
  return { number: header.number, tornBytes } satisfies AheadSegment
})

const notesOf = (directory: ReadableDirectory, { number, tornBytes }: AheadSegment): ReadonlyArray<string> =>
  tornBytes === 0
    ? []
    : [tornNote(join(directory.path, SegmentHeader.nameOf(number)), SegmentHeader.headerBytes, tornBytes)]

/**
 * A segment that is not the last must have every record up to the first of the next. Only its seal may be
 * missing: the next segment is begun before this one is sealed.
 */
const absorbClosed = Effect.fnUntraced(function* (replay: Replay, segment: Segment, next: Segment) {
  const due = next.scan.firstSequence
  const { end, nextSequence } = segment.scan
  if (nextSequence !== due && nextSequence !== due - 1)
    return yield* SegmentReading.damagedAt(segment, end, `record ${nextSequence} of ${due - 1} is not whole`)
  const maxIndex = yield* absorbRecords(replay, segment, segment.records)
  replay.closed.push(SegmentFiles.closed(segment.header, maxIndex))
  replay.unsealed =
    nextSequence === due ? undefined : { segment: segment.header, position: end, sequence: nextSequence }
})

const absorbLast = Effect.fnUntraced(function* (replay: Replay, segment: Segment) {
  const { header, location, records, scan } = segment
  if (scan.isSealed) {
    const next = SegmentHeader.nameOf(header.number + 1)
    return yield* SegmentReading.damagedAt(segment, scan.end, `the log goes on in ${next}, which is missing`)
  }
  const tail = yield* SegmentReading.judgeTail(segment, scan.nextSequence)
  if (tail._tag === "Damaged")
    return yield* SegmentReading.damagedAt(segment, scan.end, detailOf(segment, tail))
  // The blocks are views and keep their file in memory: leave the unused space out. Not `slice`: of a Node Buffer
  // that is a view.
  const kept = new Uint8Array(records.subarray(0, scan.end))
  SegmentReading.giveBack(segment)
  const maxIndex = yield* absorbRecords(replay, segment, kept)
  const offset = SegmentLayout.offsetOf(header, scan.end)
  const tornBytes = tail._tag === "Torn" ? SegmentLayout.offsetOf(header, tail.untilByte) - offset : 0
  const lastWrite = scan.records.length > 1 ? scan.records.at(-1) : (scan.opening ?? scan.records[0])
  return {
    state: replay.state,
    notes: tornBytes === 0 ? [] : [tornNote(location, offset, tornBytes)],
    segment: header,
    position: scan.end,
    nextSequence: scan.nextSequence,
    lastWrite: lastWrite && kept.subarray(lastWrite.at),
    maxIndex,
    tornBytes
  }
})

const detailOf = ({ header }: Segment, { laterAt }: Extract<TornTail.Tail, { _tag: "Damaged" }>): string =>
  laterAt === undefined
    ? "the record here was written whole and has changed since"
    : `no whole record begins here, but a later one does at byte ${SegmentLayout.offsetOf(header, laterAt)}`

const tornNote = (location: string, at: number, bytes: number): string =>
  `${location}: cut off ${bytes} bytes at byte ${at}, a write that was under way when the node stopped and was never acknowledged`

/** Returns the largest index of an entry in the segment. */
const absorbRecords = (
  replay: Replay,
  segment: Segment,
  records: Uint8Array
): Effect.Effect<LogIndex.LogIndex, StorageError> =>
  Effect.suspend(() => {
    let maxIndex = LogIndex.zero
    for (const { at, header } of segment.scan.records) {
      const batch = BatchRecord.readBatch(records, at, header)
      if (batch instanceof LogEntry.MalformedBlock)
        return Effect.fail(SegmentReading.damagedAt(segment, at, batch.message))
      const problem = absorb(replay, batch)
      if (problem !== undefined) return Effect.fail(SegmentReading.damagedAt(segment, at, problem))
      for (const block of batch.blocks) maxIndex = LogIndex.max(maxIndex, LogEntry.lastIndex(block))
    }
    return Effect.succeed(maxIndex)
  })

/** Adds a batch to what was read, or says why it cannot follow. */
const absorb = (replay: Replay, batch: RaftStorage.WriteBatch): string | undefined => {
  const { state } = replay
  const log = { ...RaftStorage.extentOf(state), base: replay.base }
  const problem = RaftStorage.misfit(log, batch)
  if (problem !== undefined) return problem
  const { truncateFrom } = batch
  if (truncateFrom !== undefined && truncateFrom <= state.base.index) {
    state.blocks.length = 0
    state.base = beforeKnown(LogIndex.plus(truncateFrom, -1))
  }
  RaftStorage.absorb(state, batch)
  replay.base = RaftStorage.extentAfter(log, batch).base
  return undefined
}
