/**
 * The write-ahead log: an ordered list of batches in files of bounded size.
 *
 * A batch is one record, one write and one flush. When a segment is full the next one takes over, then the
 * old one is sealed with a record that says so: should the last file ever be missing, the seal of the one
 * before gives it away. The first record of a segment says what the log amounts to there, so that those
 * before it can go when a snapshot has taken their place.
 *
 * A write that failed, or was interrupted, was the last one. The log refuses all others with the same
 * error: what a disk holds after a failed flush is known only to who reads it anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type {
  HardState,
  LogExtent,
  StorageError,
  StorageIdentity,
  WriteBatch
} from "@effect-raft/core/RaftStorage"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import * as BatchRecord from "./BatchRecord.ts"
import type { LogDirectory, LogFile, ReadableDirectory } from "./LogFileSystem.ts"
import * as RecordMarks from "./RecordMarks.ts"
import * as Recovery from "./Recovery.ts"
import * as SegmentFiles from "./SegmentFiles.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"

export interface WriteAheadLogOptions extends SegmentFiles.SegmentOptions {
  /** The log may begin after what this snapshot covers, and not later. */
  readonly newestSnapshot: () => SnapshotMeta | undefined
}

export interface WriteAheadLog {
  readonly recovered: Pick<RaftStorage.RecoveredState, "hardState" | "base" | "blocks" | "notes">
  readonly write: (batch: WriteBatch) => Effect.Effect<void, StorageError>
}

/**
 * How full a segment is when the next one is made. Early: the log cannot go on without it, and to make it takes
 * long on a machine that has much else to do. Not at once: a log that hardly grows needs no second segment.
 */
const spareFrom = 1 / 4

/** Segments that are kept to be written over. A snapshot frees about as many at a time, by default. */
const maxRetired = 4

/** Where the log is being written. Only the fiber that writes changes it. */
interface Log extends WriteAheadLogOptions {
  readonly directory: LogDirectory
  readonly encoder: BatchRecord.RecordEncoder
  readonly place: SegmentLayout.Place
  /** Closes with the log, and with it what goes on in the background. */
  readonly scope: Scope.Scope
  file: LogFile
  segment: SegmentHeader.SegmentHeader
  life: RecordMarks.SegmentLife
  /** Where among the records of the segment the next one goes. */
  position: number
  nextSequence: number
  hardState: HardState
  extent: LogExtent
  /** The largest index in the present segment. */
  maxIndex: LogIndex.LogIndex
  closed: ReadonlyArray<SegmentFiles.ClosedSegment>
  spare: Fiber.Fiber<SegmentFiles.Spare, StorageError> | undefined
  /** Numbers that the files had that wait to be written over. */
  retired: ReadonlyArray<number>
  /** Why nothing more is written. */
  ended: StorageError | undefined
  isWriting: boolean
  hasWritten: boolean
  isRemoving: boolean
}

/** Opens the log in a directory that the caller has locked. Closed with the scope. */
export const open = Effect.fnUntraced(function* (directory: LogDirectory, options: WriteAheadLogOptions) {
  const found = SegmentHeader.numbersOf(yield* directory.list)
  if (found.length === 0) yield* begin(directory, options)
  const recovered = yield* Recovery.recover(directory, options.identity, found.length === 0 ? [1] : found)
  yield* expectCovered(directory, recovered.state.base, options.newestSnapshot())
  // Not before the log is known to be whole and ours: a store that is refused stays as it is.
  const retired = found.length > 0 ? yield* SegmentFiles.tidy(directory, maxRetired) : []
  const scope = yield* Effect.scope
  const log = yield* Effect.acquireRelease(
    startAt(directory, { ...options, retired, scope }, recovered),
    close
  )
  yield* makeDurable(log, recovered)
  yield* SegmentFiles.removeAll(directory, recovered.needless)
  yield* removeCovered(log)
  const { base, blocks, hardState } = recovered.state
  return {
    recovered: { hardState, base, blocks, notes: recovered.notes },
    write: (batch) => write(log, batch)
  } satisfies WriteAheadLog
})

/** What a node would find that opened the log of this directory now, of which there is one. Nothing is changed. */
export const lookInto = Effect.fnUntraced(function* (
  directory: ReadableDirectory,
  identity: StorageIdentity,
  snapshot: SnapshotMeta | undefined
) {
  const found = SegmentHeader.numbersOf(yield* directory.list)
  const { state } = yield* Recovery.recover(directory, identity, found)
  yield* expectCovered(directory, state.base, snapshot)
  return state
})

/** The first segment of a new log. */
const begin = Effect.fnUntraced(function* (directory: LogDirectory, options: WriteAheadLogOptions) {
  yield* SegmentFiles.tidy(directory, 0)
  const state = RaftStorage.emptyState()
  const opening = { hardState: state.hardState, log: RaftStorage.extentOf(state) }
  const place = { number: 1, firstSequence: 1, recordBytes: 0, spare: undefined }
  const { file } = yield* SegmentFiles.create(directory, { ...options, ...place, opening })
  yield* file.close
})

const expectCovered = (
  directory: ReadableDirectory,
  base: RaftStorage.LogBase,
  snapshot: SnapshotMeta | undefined
) => {
  const detail = RaftStorage.uncovered({ base, blocks: [] }, snapshot)
  return detail === undefined
    ? Effect.void
    : Effect.fail(
        new RaftStorage.StorageError({
          reason: new RaftStorage.DamagedStore({ location: directory.path, offset: 0, detail })
        })
      )
}

const startAt = (
  directory: LogDirectory,
  options: WriteAheadLogOptions & Pick<Log, "retired" | "scope">,
  { closed, maxIndex, nextSequence, position, segment, state }: Recovery.RecoveredLog
) =>
  Effect.map(directory.open(SegmentHeader.nameOf(segment.number)), (file): Log => ({
    ...options,
    directory,
    encoder: BatchRecord.makeEncoder(),
    place: SegmentLayout.makePlace(),
    file,
    segment,
    life: RecordMarks.lifeOf(segment),
    position,
    nextSequence,
    hardState: state.hardState,
    extent: RaftStorage.extentOf(state),
    maxIndex,
    closed,
    spare: undefined,
    ended: undefined,
    isWriting: false,
    hasWritten: false,
    isRemoving: false
  }))

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
  const offset = SegmentLayout.offsetOf(log.segment, position)
  if (tornBytes > 0) yield* log.file.write([new Uint8Array(tornBytes)], offset)
  if (lastRecord !== undefined) yield* writeRecord(log, [lastRecord], position - lastRecord.byteLength)
  yield* log.file.sync
  yield* log.directory.sync
})

const write = (log: Log, batch: WriteBatch): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    if (log.ended !== undefined) return Effect.fail(log.ended)
    const problem = problemOf(log, batch)
    if (problem !== undefined) return Effect.die(new Error(`Batch refused: ${problem}`))
    log.isWriting = true
    return Effect.onExit(makeRoomAndAppend(log, batch), (exit) => settle(log, batch, exit))
  })

const problemOf = (log: Log, batch: WriteBatch): string | undefined =>
  log.isWriting
    ? "another is still being written"
    : (RaftStorage.misfit(log.extent, batch) ?? RaftStorage.uncovered(batch, log.newestSnapshot()))

const settle = (log: Log, batch: WriteBatch, exit: Exit.Exit<void, StorageError>): Effect.Effect<void> => {
  log.isWriting = false
  if (Exit.isSuccess(exit)) return acknowledge(log, batch)
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  log.ended ??=
    failure?.error ?? writeFailed(log, "an earlier write was interrupted, and nobody knows what became of it")
  return Effect.void
}

const acknowledge = (log: Log, batch: WriteBatch): Effect.Effect<void> => {
  log.hardState = batch.hardState ?? log.hardState
  log.extent = RaftStorage.extentAfter(log.extent, batch)
  for (const block of batch.blocks) log.maxIndex = LogIndex.max(log.maxIndex, LogEntry.lastIndex(block))
  log.hasWritten = true
  if (batch.base !== undefined) return removeCovered(log)
  return log.spare === undefined && log.position > log.segment.fileBytes * spareFrom
    ? prepareSpare(log)
    : Effect.void
}

const prepareSpare = (log: Log) =>
  Effect.suspend(() => {
    const [retired, ...others] = log.retired
    log.retired = others
    const number = log.segment.number + 1
    return Effect.map(SegmentFiles.prepareSpare(log.directory, { ...log, number, retired }), (fiber) => {
      log.spare = fiber
    })
  })

/**
 * Lets go, in the background, of the segments that hold nothing after the base of the log. One that cannot be
 * removed or renamed does no harm: it is tried again with the next base, and when the log is opened.
 */
const removeCovered = (log: Log): Effect.Effect<void> => {
  const removeAll = Effect.gen(function* () {
    for (let covered = coveredOf(log); covered.length > 0; covered = coveredOf(log)) {
      const kept = maxRetired - log.retired.length
      const retired = yield* SegmentFiles.retire(log.directory, covered, { ...log, kept })
      log.closed = log.closed.slice(covered.length)
      log.retired = log.retired.concat(retired)
    }
  })
  return Effect.suspend(() => {
    if (log.isRemoving) return Effect.void
    log.isRemoving = true
    return removeAll.pipe(
      Effect.catch((error) =>
        Effect.logWarning("A segment that is no longer needed could not be removed", error)
      ),
      Effect.ensuring(Effect.sync(() => void (log.isRemoving = false))),
      Effect.annotateLogs({ fiber: "compaction" }),
      Effect.forkIn(log.scope, { startImmediately: true }),
      Effect.asVoid
    )
  })
}

const writeFailed = (log: Log, detail: string): RaftStorage.StorageError =>
  new RaftStorage.StorageError({
    reason: new RaftStorage.IoFailed({
      operation: "write",
      location: join(log.directory.path, SegmentHeader.nameOf(log.segment.number)),
      detail
    })
  })

/** The oldest segments, as many as nobody needs; a log can be read from the one after them. */
const coveredOf = ({ closed, extent }: Log): ReadonlyArray<SegmentFiles.ClosedSegment> => {
  const needed = closed.findIndex(({ maxIndex }) => maxIndex > extent.base.index)
  let count = needed === -1 ? closed.length : needed
  while (count > 0 && closed[count]?.hasOpening === false) count--
  return closed.slice(0, count)
}

const makeRoomAndAppend = (log: Log, batch: WriteBatch) =>
  Effect.suspend(() => {
    const recordBytes = BatchRecord.sizeOf(batch)
    const append = Effect.suspend(() => appendRecord(log, log.encoder.batch(batch, placeOf(log))))
    return hasRoom(log, recordBytes) ? append : Effect.andThen(nextSegment(log, recordBytes), append)
  })

/** There is always room left for the seal. A segment of an older format only gets that. */
const hasRoom = (log: Log, recordBytes: number): boolean =>
  log.segment.version === SegmentHeader.formatVersion &&
  log.position + recordBytes + BatchRecord.emptyRecordBytes <= SegmentLayout.roomBytes(log.segment)

const placeOf = (log: Log): BatchRecord.RecordPlace => ({ sequence: log.nextSequence, life: log.life })

const appendRecord = (log: Log, record: BatchRecord.EncodedRecord) =>
  Effect.andThen(
    writeRecord(log, record.parts, log.position),
    Effect.map(log.file.sync, () => {
      log.position += record.totalBytes
      log.nextSequence++
    })
  )

const writeRecord = (log: Log, record: ReadonlyArray<Uint8Array>, position: number) =>
  Effect.suspend(() => {
    const { offset, parts } = log.place(log.segment, record, position)
    return log.file.write(parts, offset)
  })

/** Makes the next segment, seals the full one, and goes on in the next. */
const nextSegment = Effect.fnUntraced(function* (log: Log, recordBytes: number) {
  const spare = yield* takeSpare(log)
  const seal = Effect.suspend(() => appendRecord(log, log.encoder.seal(placeOf(log))))
  const create = SegmentFiles.create(log.directory, {
    ...log,
    number: log.segment.number + 1,
    firstSequence: log.nextSequence + 1,
    opening: { hardState: log.hardState, log: log.extent },
    recordBytes,
    spare
  })
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(create), (next) =>
      Effect.onExit(restore(seal), (exit) => (Exit.isSuccess(exit) ? goOnIn(log, next) : next.file.close))
    )
  )
  yield* removeCovered(log)
})

const takeSpare = (log: Log) =>
  Effect.suspend(() => {
    const { spare } = log
    if (spare === undefined) return Effect.undefined
    return Effect.map(Fiber.join(spare), (taken) => {
      log.spare = undefined
      return taken
    })
  })

const goOnIn = (log: Log, next: SegmentFiles.NewSegment) =>
  Effect.suspend(() => {
    const { file, maxIndex, segment } = log
    log.closed = [...log.closed, SegmentFiles.closed(segment, maxIndex)]
    log.maxIndex = LogIndex.zero
    log.file = next.file
    log.segment = next.header
    log.life = RecordMarks.lifeOf(next.header)
    log.position = next.position
    // The opening is a record, too.
    log.nextSequence++
    return file.close
  })

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
  if (log.spare !== undefined) {
    yield* Fiber.interrupt(log.spare)
    yield* SegmentFiles.closeSpare(yield* Fiber.await(log.spare))
  }
  yield* log.file.close
})
