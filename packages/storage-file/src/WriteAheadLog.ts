/**
 * The write-ahead log: an ordered list of batches in files of bounded size.
 *
 * A batch is one record, one write and one flush. Segments are made at their full size, filled with
 * zeros, under another name; they get their own name when they are durable. When a segment is full the
 * next is made, then the old one is sealed with a record that says so: should the last file ever be
 * missing, the seal of the one before gives it away.
 *
 * A write that failed, or was interrupted, was the last one. The log refuses all others with the same
 * error: what a disk holds after a failed flush is known only to who reads it anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import { join } from "node:path"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { LogStore, StorageError, StorageIdentity, WriteBatch } from "@effect-raft/core/RaftStorage"
import type { LogIndex } from "@effect-raft/core/LogIndex"
import * as BatchRecord from "./BatchRecord.ts"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"
import * as Recovery from "./Recovery.ts"
import * as SegmentHeader from "./SegmentHeader.ts"

export interface WriteAheadLogOptions {
  readonly identity: StorageIdentity
  /** Size of a segment. One batch that does not fit gets a segment that is as large as it needs. */
  readonly segmentBytes: number
}

/** Where the log is being written. Only the fiber that writes changes it. */
interface Log extends WriteAheadLogOptions {
  readonly directory: LogDirectory
  readonly encoder: BatchRecord.RecordEncoder
  file: LogFile
  segment: SegmentHeader.SegmentHeader
  position: number
  nextSequence: number
  lastIndex: LogIndex
  /** Why nothing more is written. */
  ended: StorageError | undefined
  isWriting: boolean
  hasWritten: boolean
}

const pageBytes = 4096

/** Opens the log in a directory that the caller has locked. Closed with the scope. */
export const open = Effect.fnUntraced(function* (directory: LogDirectory, options: WriteAheadLogOptions) {
  const names = yield* directory.list
  const numbers = segmentNumbers(names)
  if (numbers.length === 0) yield* begin(directory, options, names)
  const recovered = yield* Recovery.recover(directory, options.identity, numbers.length === 0 ? [1] : numbers)
  // Not before the log is known to be whole and ours: a store that is refused stays as it is.
  if (numbers.length > 0) yield* removeUnfinished(directory, names)
  const log = yield* Effect.acquireRelease(startAt(directory, options, recovered), close)
  yield* makeDurable(log, recovered)
  return {
    recovered: {
      hardState: recovered.state.hardState,
      blocks: recovered.state.blocks,
      notes: recovered.notes
    },
    write: (batch) => write(log, batch)
  } satisfies LogStore
})

const begin = Effect.fnUntraced(function* (
  directory: LogDirectory,
  options: WriteAheadLogOptions,
  names: ReadonlyArray<string>
) {
  yield* removeUnfinished(directory, names)
  const segment = yield* newSegment(options, { number: 1, firstSequence: 1, recordBytes: 0 })
  yield* Effect.flatMap(createSegment(directory, segment), (file) => file.close)
})

const startAt = (
  directory: LogDirectory,
  options: WriteAheadLogOptions,
  { nextSequence, position, segment, state }: Recovery.RecoveredLog
) =>
  Effect.map(directory.open(SegmentHeader.nameOf(segment.number)), (file): Log => ({
    ...options,
    directory,
    encoder: BatchRecord.makeEncoder(),
    file,
    segment,
    position,
    nextSequence,
    lastIndex: RaftStorage.lastIndexOf(state),
    ended: undefined,
    isWriting: false,
    hasWritten: false
  }))

/** Numbers of the segments among these file names, in order. */
export const segmentNumbers = (names: ReadonlyArray<string>): ReadonlyArray<number> =>
  names.flatMap((name) => SegmentHeader.numberOf(name) ?? []).sort((a, b) => a - b)

const isUnfinished = (name: string): boolean =>
  name.endsWith(SegmentHeader.unfinishedSuffix) &&
  SegmentHeader.numberOf(name.slice(0, -SegmentHeader.unfinishedSuffix.length)) !== undefined

const removeUnfinished = (directory: LogDirectory, names: ReadonlyArray<string>) =>
  Effect.forEach(names.filter(isUnfinished), directory.remove, { discard: true })

/**
 * What was read may be in the page cache only: the process before this one may have died, or been told of
 * an error, between write and flush. So the last record is written once more, which makes the kernel
 * forget that it believes the page clean, and what a cut-short write left behind is cleared, before
 * anybody relies on what was recovered.
 */
const makeDurable = Effect.fnUntraced(function* (
  log: Log,
  { lastRecord, position, tornBytes }: Recovery.RecoveredLog
) {
  if (tornBytes > 0) yield* log.file.write([new Uint8Array(tornBytes)], position)
  if (lastRecord !== undefined) yield* log.file.write([lastRecord], position - lastRecord.byteLength)
  yield* log.file.sync
  yield* log.directory.sync
})

const write = (log: Log, batch: WriteBatch): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    if (log.ended !== undefined) return Effect.fail(log.ended)
    const problem = log.isWriting
      ? "another is still being written"
      : RaftStorage.misfit(log.lastIndex, batch)
    if (problem !== undefined) return Effect.die(new Error(`Batch refused: ${problem}`))
    log.isWriting = true
    return Effect.onExit(makeRoomAndAppend(log, batch), (exit) => Effect.sync(() => settle(log, batch, exit)))
  })

const settle = (log: Log, batch: WriteBatch, exit: Exit.Exit<void, StorageError>): void => {
  log.isWriting = false
  if (Exit.isSuccess(exit)) {
    log.lastIndex = RaftStorage.lastIndexAfter(log.lastIndex, batch)
    log.hasWritten = true
    return
  }
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  log.ended ??=
    failure?.error ?? writeFailed(log, "an earlier write was interrupted, and nobody knows what became of it")
}

const writeFailed = (log: Log, detail: string): RaftStorage.StorageError =>
  new RaftStorage.StorageError({
    reason: new RaftStorage.IoFailed({
      operation: "write",
      location: join(log.directory.path, SegmentHeader.nameOf(log.segment.number)),
      detail
    })
  })

const makeRoomAndAppend = (log: Log, batch: WriteBatch) =>
  Effect.suspend(() => {
    const recordBytes = BatchRecord.sizeOf(batch)
    const append = Effect.suspend(() => appendRecord(log, log.encoder.batch(batch, placeOf(log))))
    return hasRoom(log, recordBytes) ? append : Effect.andThen(nextSegment(log, recordBytes), append)
  })

/** There is always room left for the seal. */
const hasRoom = (log: Log, recordBytes: number): boolean =>
  log.position + recordBytes + BatchRecord.emptyRecordBytes <= log.segment.fileBytes

const placeOf = (log: Log) => ({ sequence: log.nextSequence, salt: log.segment.salt })

const appendRecord = (log: Log, record: BatchRecord.EncodedRecord) =>
  Effect.andThen(
    log.file.write(record.parts, log.position),
    Effect.map(log.file.sync, () => {
      log.position += record.totalBytes
      log.nextSequence++
    })
  )

/** Makes the next segment, seals the full one, and goes on in the next. */
const nextSegment = Effect.fnUntraced(function* (log: Log, recordBytes: number) {
  const place = { number: log.segment.number + 1, firstSequence: log.nextSequence + 1, recordBytes }
  const segment = yield* newSegment(log, place)
  const seal = Effect.suspend(() => appendRecord(log, log.encoder.seal(placeOf(log))))
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(createSegment(log.directory, segment), (file) =>
      Effect.onExit(restore(seal), (exit) => (Exit.isSuccess(exit) ? goOnIn(log, segment, file) : file.close))
    )
  )
})

const goOnIn = (log: Log, segment: SegmentHeader.SegmentHeader, file: LogFile) =>
  Effect.suspend(() => {
    const full = log.file
    log.file = file
    log.segment = segment
    log.position = SegmentHeader.headerBytes
    return full.close
  })

const newSegment = Effect.fnUntraced(function* (
  { identity, segmentBytes }: WriteAheadLogOptions,
  options: { readonly number: number; readonly firstSequence: number; readonly recordBytes: number }
) {
  const needed = SegmentHeader.headerBytes + options.recordBytes + BatchRecord.emptyRecordBytes
  return {
    identity,
    salt: Math.floor((yield* Random.next) * 0x1_0000_0000),
    number: options.number,
    firstSequence: options.firstSequence,
    fileBytes: Math.ceil(Math.max(segmentBytes, needed) / pageBytes) * pageBytes
  } satisfies SegmentHeader.SegmentHeader
})

/** A segment has its name only once it is whole and durable. */
const createSegment = (directory: LogDirectory, segment: SegmentHeader.SegmentHeader) => {
  const name = SegmentHeader.nameOf(segment.number)
  const unfinished = name + SegmentHeader.unfinishedSuffix
  const finish = Effect.fnUntraced(function* (file: LogFile) {
    yield* file.write([SegmentHeader.encode(segment)], 0)
    yield* file.sync
    yield* directory.rename(unfinished, name)
    yield* directory.sync
    return file
  })
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(directory.create(unfinished, segment.fileBytes), (file) =>
      Effect.onError(restore(finish(file)), () => file.close)
    )
  )
}

/** An empty record after the last batch protects it: see `TornTail`. */
const close = Effect.fnUntraced(function* (log: Log) {
  const isOrderly = log.ended === undefined && !log.isWriting && log.hasWritten
  log.ended ??= writeFailed(log, "the store is closed")
  if (isOrderly && hasRoom(log, BatchRecord.emptyRecordBytes)) {
    const mark = Effect.suspend(() => appendRecord(log, log.encoder.batch({ blocks: [] }, placeOf(log))))
    yield* Effect.catch(mark, (error) =>
      Effect.logWarning("The log was closed without its closing mark", error)
    )
  }
  yield* log.file.close
})
