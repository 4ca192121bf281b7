/**
 * The write-ahead log: an ordered list of batches in files of bounded size.
 *
 * A batch is one record, one write and one flush. When a segment is full the next one takes over (`SegmentTurn`).
 * The first record of a segment says what the log amounts to there, so that those before it can go when a snapshot
 * has taken their place (`CoveredSegments`).
 *
 * A write that failed, or was interrupted, was the last one. The log refuses all others with the same error: what
 * a disk holds after a failed flush is known only to who reads it anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { StorageError, StorageIdentity, WriteBatch } from "@effect-raft/core/RaftStorage"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import * as BatchRecord from "./BatchRecord.ts"
import * as CoveredSegments from "./CoveredSegments.ts"
import type { LogDirectory, ReadableDirectory } from "./LogFileSystem.ts"
import * as OpenLog from "./OpenLog.ts"
import * as Recovery from "./Recovery.ts"
import * as SegmentFiles from "./SegmentFiles.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"
import * as SegmentTurn from "./SegmentTurn.ts"

export interface WriteAheadLogOptions extends SegmentFiles.SegmentOptions {
  /** The log may begin after what this snapshot covers, and not later. */
  readonly newestSnapshot: () => SnapshotMeta | undefined
}

export interface WriteAheadLog {
  readonly recovered: Pick<
    RaftStorage.RecoveredState,
    "hardState" | "base" | "blocks" | "committed" | "notes"
  >
  readonly write: (batch: WriteBatch) => Effect.Effect<void, StorageError>
}

/** A log that is open, and whether it is being written to. */
interface Log extends OpenLog.OpenLog {
  readonly newestSnapshot: () => SnapshotMeta | undefined
  isWriting: boolean
  hasWritten: boolean
}

/** Opens the log in a directory that the caller has locked. Closed with the scope. */
export const open = Effect.fnUntraced(function* (directory: LogDirectory, options: WriteAheadLogOptions) {
  const found = SegmentHeader.numbersOf(yield* directory.list)
  const recovered = yield* found.length === 0
    ? Effect.andThen(begin(directory, options), Recovery.recoverBegun(directory, options.identity, 1))
    : Recovery.recover(directory, options.identity, found)
  yield* expectCovered(directory, recovered.state.base, options.newestSnapshot())
  // Not before the log is known to be whole and ours: a store that is refused stays as it is.
  const retired = found.length > 0 ? yield* tidy(directory, recovered) : []
  const scope = yield* Effect.scope
  const log = yield* Effect.acquireRelease(
    Effect.map(OpenLog.make(directory, { ...options, retired, scope }, recovered), (opened): Log =>
      Object.assign(opened, { newestSnapshot: options.newestSnapshot, isWriting: false, hasWritten: false })
    ),
    close
  )
  yield* makeDurable(log, recovered)
  yield* SegmentFiles.removeAll(directory, recovered.needless)
  yield* CoveredSegments.remove(log)
  const { base, blocks, committed, hardState } = recovered.state
  return {
    recovered: { hardState, base, blocks, committed, notes: recovered.notes },
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

/** The first segment of a new log. It has its opening before it has its name. */
const begin = Effect.fnUntraced(function* (directory: LogDirectory, options: WriteAheadLogOptions) {
  yield* SegmentFiles.tidy(directory, 0)
  const state = RaftStorage.emptyState()
  const opening = { hardState: state.hardState, log: RaftStorage.extentOf(state) }
  const neededEnd = SegmentHeader.headerBytes
  const { file } = yield* SegmentFiles.make(directory, { ...options, number: 1, neededEnd, opening })
  yield* file.close
})

/** A segment that was not begun is made anew from its file, with marks of its own: something may be left in it. */
const tidy = Effect.fnUntraced(function* (directory: LogDirectory, { ahead }: Recovery.RecoveredLog) {
  if (ahead !== undefined) {
    const { number } = ahead
    yield* directory.rename(SegmentHeader.nameOf(number), SegmentHeader.retiredNameOf(number))
  }
  return yield* SegmentFiles.tidy(directory, CoveredSegments.maxRetired)
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

/**
 * What was read may be in the page cache only: the process before this one may have died, or been told of
 * an error, between write and flush. So what was last written is written once more, which makes the kernel
 * forget that it believes the page clean, and what a cut-short write left behind is cleared, before
 * anybody relies on what was recovered.
 */
const makeDurable = Effect.fnUntraced(function* (
  log: Log,
  { lastWrite, position, tornBytes, unsealed }: Recovery.RecoveredLog
) {
  const offset = SegmentLayout.offsetOf(log.segment, position)
  if (tornBytes > 0) yield* log.file.write([new Uint8Array(tornBytes)], offset)
  if (lastWrite !== undefined) yield* OpenLog.writeAt(log, [lastWrite], position - lastWrite.byteLength)
  yield* log.file.sync
  yield* log.directory.sync
  if (unsealed !== undefined) yield* SegmentTurn.sealLeft(log.directory, unsealed)
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

const makeRoomAndAppend = (log: Log, batch: WriteBatch) =>
  Effect.suspend(() => {
    const recordBytes = BatchRecord.sizeOf(batch)
    const append = OpenLog.append(log, batch)
    return OpenLog.hasRoom(log, recordBytes)
      ? append
      : Effect.andThen(SegmentTurn.goOn(log, recordBytes), append)
  })

const settle = (log: Log, batch: WriteBatch, exit: Exit.Exit<void, StorageError>): Effect.Effect<void> => {
  log.isWriting = false
  if (Exit.isSuccess(exit)) return acknowledge(log, batch)
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  log.ended ??=
    failure?.error ??
    OpenLog.writeFailed(log, "an earlier write was interrupted, and nobody knows what became of it")
  return Effect.void
}

const acknowledge = (log: Log, batch: WriteBatch): Effect.Effect<void> => {
  log.hardState = batch.hardState ?? log.hardState
  log.extent = RaftStorage.extentAfter(log.extent, batch)
  for (const block of batch.blocks) log.maxIndex = LogIndex.max(log.maxIndex, LogEntry.lastIndex(block))
  log.hasWritten = true
  if (log.full !== undefined && log.full.sealing === undefined) return SegmentTurn.sealFull(log)
  return batch.base !== undefined ? CoveredSegments.remove(log) : SegmentTurn.prepare(log)
}

/** An empty record after the last batch protects it: see `TornTail`. */
const close = Effect.fnUntraced(function* (log: Log) {
  const isOrderly = log.ended === undefined && !log.isWriting && log.hasWritten
  log.ended ??= OpenLog.writeFailed(log, "the store is closed")
  if (isOrderly && OpenLog.hasRoom(log, BatchRecord.emptyRecordBytes)) {
    yield* Effect.catch(OpenLog.append(log, { blocks: [] }), (error) =>
      Effect.logWarning("The log was closed without its closing mark", error)
    )
  }
  yield* SegmentTurn.close(log)
  yield* log.file.close
})
