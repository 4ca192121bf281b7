/**
 * A log that is open: what it amounts to, where the next record goes, and how one is written there.
 *
 * Only the fiber that writes changes it, and what that has sent into the background: the next segment while it is
 * made ready, the one before while it is sealed (`SegmentTurn`), those that nobody needs any more
 * (`CoveredSegments`).
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import type * as LogIndex from "@effect-raft/core/LogIndex"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { HardState, LogExtent, StorageError, WriteBatch } from "@effect-raft/core/RaftStorage"
import * as BatchRecord from "./BatchRecord.ts"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"
import * as RecordMarks from "./RecordMarks.ts"
import type { RecoveredLog } from "./Recovery.ts"
import type * as SegmentFiles from "./SegmentFiles.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"

export interface OpenLog extends SegmentFiles.SegmentOptions {
  readonly directory: LogDirectory
  readonly encoder: BatchRecord.RecordEncoder
  readonly openingEncoder: BatchRecord.RecordEncoder
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
  /** The segment before, until it is sealed. */
  full: FullSegment | undefined
  closed: ReadonlyArray<SegmentFiles.ClosedSegment>
  /** The next segment, made ahead of its time. */
  next: Fiber.Fiber<SegmentFiles.NewSegment, StorageError> | undefined
  /** Numbers that the files had that wait to be written over. */
  retired: ReadonlyArray<number>
  isRemoving: boolean
  /** Why nothing more is written. */
  ended: StorageError | undefined
}

/** A segment that has no room for what comes, and no seal yet. */
export interface FullSegment {
  readonly file: LogFile
  readonly segment: SegmentHeader.SegmentHeader
  /** Where its seal goes, and the sequence number that it has. */
  readonly position: number
  readonly sequence: number
  readonly maxIndex: LogIndex.LogIndex
  sealing: Fiber.Fiber<void, StorageError> | undefined
}

export interface OpenLogOptions extends SegmentFiles.SegmentOptions {
  readonly scope: Scope.Scope
  readonly retired: ReadonlyArray<number>
}

/** Opens the last segment of a log that was read back. */
export const make = (
  directory: LogDirectory,
  { identity, retired, scope, segmentBytes }: OpenLogOptions,
  { closed, maxIndex, nextSequence, position, segment, state }: RecoveredLog
) =>
  Effect.map(directory.open(SegmentHeader.nameOf(segment.number)), (file): OpenLog => ({
    identity,
    segmentBytes,
    directory,
    encoder: BatchRecord.makeEncoder(),
    openingEncoder: BatchRecord.makeEncoder(),
    place: SegmentLayout.makePlace(),
    scope,
    file,
    segment,
    life: RecordMarks.lifeOf(segment),
    position,
    nextSequence,
    hardState: state.hardState,
    extent: RaftStorage.extentOf(state),
    maxIndex,
    full: undefined,
    closed,
    next: undefined,
    retired,
    isRemoving: false,
    ended: undefined
  }))

/** There is always room left for the seal. A segment of an older format only gets that. */
export const hasRoom = ({ position, segment }: OpenLog, recordBytes: number): boolean =>
  segment.version === SegmentHeader.formatVersion &&
  position + recordBytes + BatchRecord.emptyRecordBytes <= SegmentLayout.roomBytes(segment)

/**
 * Writes the record of a batch behind the others, and flushes. The first of a segment takes the opening along:
 * that is shorter than a sector, so a write that was cut short has left it whole or not at all.
 */
export const append = (log: OpenLog, batch: WriteBatch): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    const { life, nextSequence } = log
    if (log.position > SegmentHeader.headerBytes)
      return appendRecords(log, [log.encoder.batch(batch, { life, sequence: nextSequence })])
    const opening = { hardState: log.hardState, log: log.extent }
    return appendRecords(log, [
      log.openingEncoder.opening(opening, { life, sequence: nextSequence }),
      log.encoder.batch(batch, { life, sequence: nextSequence + 1 })
    ])
  })

const appendRecords = (log: OpenLog, records: ReadonlyArray<BatchRecord.EncodedRecord>) =>
  Effect.andThen(
    writeAt(
      log,
      records.flatMap(({ parts }) => parts),
      log.position
    ),
    Effect.map(log.file.sync, () => {
      for (const { totalBytes } of records) log.position += totalBytes
      log.nextSequence += records.length
    })
  )

/** Writes at a position among the records of the present segment. */
export const writeAt = (log: OpenLog, record: ReadonlyArray<Uint8Array>, position: number) =>
  Effect.suspend(() => SegmentLayout.write(log.file, log.place(log.segment, record, position)))

export const writeFailed = (log: OpenLog, detail: string): StorageError =>
  new RaftStorage.StorageError({
    reason: new RaftStorage.IoFailed({
      operation: "write",
      location: join(log.directory.path, SegmentHeader.nameOf(log.segment.number)),
      detail
    })
  })
