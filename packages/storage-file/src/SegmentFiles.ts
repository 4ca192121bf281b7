/**
 * The files of the segments: how one comes into being, is kept ready ahead of its time, and goes.
 *
 * A segment is made at its full size, filled with zeros, under another name, and gets its own name when it
 * is durable. Filling takes far longer than a write, so the next one is filled while the present one is
 * still being written. A segment goes once the log begins after all that is in it, the oldest first.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import type { LogIndex } from "@effect-raft/core/LogIndex"
import * as BatchRecord from "./BatchRecord.ts"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"
import * as SegmentHeader from "./SegmentHeader.ts"

export interface SegmentOptions {
  readonly identity: StorageIdentity
  /** Size of a segment. One batch that does not fit gets a segment that is as large as it needs. */
  readonly segmentBytes: number
}

/** A segment that is not written to any more. */
export interface ClosedSegment {
  readonly number: number
  /** The largest index of any entry in it, also of one that was removed later; 0 where there is none. */
  readonly maxIndex: LogIndex
  /** Whether a log can be read from here on, without the segments before. */
  readonly hasOpening: boolean
}

/** A file of zeros that can become the next segment. */
export interface Spare {
  readonly file: LogFile
  readonly number: number
  readonly fileBytes: number
}

const pageBytes = 4096

const fileBytesFor = (segmentBytes: number, neededBytes = 0): number =>
  Math.ceil(Math.max(segmentBytes, neededBytes) / pageBytes) * pageBytes

const unfinishedNameOf = (number: number): string =>
  SegmentHeader.nameOf(number) + SegmentHeader.unfinishedSuffix

const fillSpare = (directory: LogDirectory, number: number, fileBytes: number) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(directory.create(unfinishedNameOf(number), fileBytes)), (file) =>
      restore(file.sync).pipe(
        Effect.as<Spare>({ file, number, fileBytes }),
        Effect.onError(() => file.close)
      )
    )
  )

/** Fills a spare in the background. What goes wrong is heard by who takes it. */
export const prepareSpare = (
  directory: LogDirectory,
  options: { readonly number: number; readonly segmentBytes: number; readonly scope: Scope.Scope }
): Effect.Effect<Fiber.Fiber<Spare, StorageError>> =>
  fillSpare(directory, options.number, fileBytesFor(options.segmentBytes)).pipe(
    Effect.annotateLogs({ fiber: "spare segment" }),
    Effect.forkIn(options.scope, { startImmediately: true })
  )

/** Removes a spare that is not needed, or not large enough. */
export const removeSpare = (directory: LogDirectory, { file, number }: Spare) =>
  Effect.andThen(file.close, directory.remove(unfinishedNameOf(number)))

/** Closes what a fiber that was to fill a spare has left open. */
export const closeSpare = (exit: Exit.Exit<Spare, StorageError>): Effect.Effect<void> =>
  exit._tag === "Success" ? exit.value.file.close : Effect.void

export interface NewSegment {
  readonly header: SegmentHeader.SegmentHeader
  readonly file: LogFile
  /** Where its second record goes. */
  readonly position: number
}

/** Makes a segment that begins with `opening`, out of `spare` where it is large enough. */
export const create = Effect.fnUntraced(function* (
  directory: LogDirectory,
  options: SegmentOptions & {
    readonly number: number
    readonly firstSequence: number
    readonly opening: BatchRecord.Opening
    /** What must fit in, beside the opening and the seal. */
    readonly recordBytes: number
    readonly spare: Spare | undefined
  }
) {
  const { firstSequence, identity, number, opening, segmentBytes } = options
  const startBytes = SegmentHeader.headerBytes + BatchRecord.openingBytes(opening)
  const neededBytes = startBytes + options.recordBytes + BatchRecord.emptyRecordBytes
  const spare = yield* fitting(directory, options.spare, neededBytes)
  const header: SegmentHeader.SegmentHeader = {
    version: SegmentHeader.formatVersion,
    identity,
    salt: Math.floor((yield* Random.next) * 0x1_0000_0000),
    number,
    firstSequence,
    fileBytes: spare?.fileBytes ?? fileBytesFor(segmentBytes, neededBytes)
  }
  const start = BatchRecord.makeEncoder().opening(opening, { sequence: firstSequence, salt: header.salt })
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      spare === undefined
        ? directory.create(unfinishedNameOf(number), header.fileBytes)
        : Effect.succeed(spare.file),
      (file) =>
        restore(giveName(directory, file, number, [SegmentHeader.encode(header), ...start.parts])).pipe(
          Effect.as<NewSegment>({ header, file, position: startBytes }),
          Effect.onError(() => file.close)
        )
    )
  )
})

const fitting = (directory: LogDirectory, spare: Spare | undefined, neededBytes: number) => {
  if (spare === undefined || spare.fileBytes >= neededBytes) return Effect.succeed(spare)
  return Effect.as(removeSpare(directory, spare), undefined)
}

/** A segment has its name only once its beginning and its size are durable. */
const giveName = Effect.fnUntraced(function* (
  directory: LogDirectory,
  file: LogFile,
  number: number,
  start: ReadonlyArray<Uint8Array>
) {
  yield* file.write(start, 0)
  yield* file.sync
  yield* directory.rename(unfinishedNameOf(number), SegmentHeader.nameOf(number))
  yield* directory.sync
})

/** Removes the segments with these numbers, the oldest first. */
export const removeAll = Effect.fnUntraced(function* (
  directory: LogDirectory,
  numbers: ReadonlyArray<number>
) {
  if (numbers.length === 0) return
  yield* Effect.forEach(numbers, (number) => directory.remove(SegmentHeader.nameOf(number)), {
    discard: true
  })
  yield* directory.sync
})

/** Removes what a crash has left of segments that were being made. */
export const removeUnfinished = Effect.fnUntraced(function* (directory: LogDirectory) {
  const names = yield* directory.list
  yield* Effect.forEach(names.filter(SegmentHeader.isUnfinished), directory.remove, { discard: true })
})
