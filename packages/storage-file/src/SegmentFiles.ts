/**
 * The files of the segments: how one comes into being, is kept ready ahead of its time, and goes.
 *
 * A segment is made at its full size, filled with zeros, under another name, and gets its own name when it
 * is durable. Filling takes far longer than a write, so the next one is filled while the present one is
 * still being written. A segment goes once the log begins after all that is in it, the oldest first; some of
 * those are kept under another name, and become the next segment without being filled (`FormerSectors`).
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import type { LogIndex } from "@effect-raft/core/LogIndex"
import * as BatchRecord from "./BatchRecord.ts"
import { checksum } from "./Checksum.ts"
import * as FormerSectors from "./FormerSectors.ts"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"
import * as RecordMarks from "./RecordMarks.ts"
import * as SegmentHeader from "./SegmentHeader.ts"

export interface SegmentOptions {
  readonly identity: StorageIdentity
  /** Size of a segment. One batch that does not fit gets a segment that is as large as it needs. */
  readonly segmentBytes: number
}

/** A segment that is not written to any more. */
export interface ClosedSegment {
  readonly number: number
  readonly fileBytes: number
  /** The largest index of any entry in it, also of one that was removed later; 0 where there is none. */
  readonly maxIndex: LogIndex
  /** Whether a log can be read from here on, without the segments before. */
  readonly hasOpening: boolean
}

export const closed = (segment: SegmentHeader.SegmentHeader, maxIndex: LogIndex): ClosedSegment => ({
  number: segment.number,
  fileBytes: segment.fileBytes,
  maxIndex,
  hasOpening: SegmentHeader.hasOpening(segment)
})

/** What can become the next segment: a file of zeros, or of what a former segment has left. */
export interface Spare {
  readonly file: LogFile
  readonly number: number
  readonly fileBytes: number
  /** Of the former segment. */
  readonly former: { readonly salt: number; readonly sums: number } | undefined
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
        Effect.as<Spare>({ file, number, fileBytes, former: undefined }),
        Effect.onError(() => file.close)
      )
    )
  )

/** Makes a spare of a retired segment, which has the size of every other. */
const renewSpare = (directory: LogDirectory, number: number, retired: string) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(directory.open(retired), (file) =>
      restore(
        Effect.gen(function* () {
          const fileBytes = yield* file.sizeBytes
          const salt = SegmentHeader.saltIn(yield* file.read(0, SegmentHeader.headerBytes))
          const sums = yield* FormerSectors.take(file, fileBytes)
          yield* file.write([sums], FormerSectors.startOf(fileBytes))
          yield* file.sync
          yield* directory.rename(retired, unfinishedNameOf(number))
          return { file, number, fileBytes, former: { salt, sums: checksum(sums) } } satisfies Spare
        })
      ).pipe(Effect.onError(() => file.close))
    )
  )

/** Makes a spare in the background, of a retired segment where there is one. What goes wrong is heard by who takes it. */
export const prepareSpare = (
  directory: LogDirectory,
  options: {
    readonly number: number
    readonly segmentBytes: number
    readonly scope: Scope.Scope
    readonly retired: string | undefined
  }
): Effect.Effect<Fiber.Fiber<Spare, StorageError>> =>
  Effect.suspend((): Effect.Effect<Spare, StorageError> =>
    options.retired === undefined
      ? fillSpare(directory, options.number, fileBytesFor(options.segmentBytes))
      : renewSpare(directory, options.number, options.retired)
  ).pipe(
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
    salt: RecordMarks.saltOf(yield* Random.next, spare?.former?.salt),
    number,
    firstSequence,
    fileBytes: spare?.fileBytes ?? fileBytesFor(segmentBytes, neededBytes),
    formerSums: spare?.former?.sums
  }
  const place = { sequence: firstSequence, life: RecordMarks.lifeOf(header) }
  const start = BatchRecord.makeEncoder().opening(opening, place)
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

const roomOf = ({ fileBytes, former }: Spare): number =>
  SegmentHeader.roomBytes({ fileBytes, formerSums: former?.sums })

const fitting = (directory: LogDirectory, spare: Spare | undefined, neededBytes: number) => {
  if (spare === undefined || roomOf(spare) >= neededBytes) return Effect.succeed(spare)
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

/**
 * Lets the oldest segments go, of which `kept` may be written over again: those lose only their names, and are
 * given as what they are called now. That is durable first: under its old name a file must never be read with
 * what it holds in its next life.
 */
export const retire = Effect.fnUntraced(function* (
  directory: LogDirectory,
  segments: ReadonlyArray<ClosedSegment>,
  { kept, segmentBytes }: { readonly kept: number; readonly segmentBytes: number }
) {
  const retired: Array<string> = []
  for (const { fileBytes, number } of segments) {
    const name = SegmentHeader.nameOf(number)
    if (retired.length < kept && fileBytes === fileBytesFor(segmentBytes)) {
      const retiredName = name + SegmentHeader.retiredSuffix
      yield* directory.rename(name, retiredName)
      retired.push(retiredName)
    } else yield* directory.remove(name)
  }
  if (segments.length > 0) yield* directory.sync
  return retired
})

/** Removes what a crash has left of segments that were being made, or waited to be written over. */
export const removeUnfinished = Effect.fnUntraced(function* (directory: LogDirectory) {
  const names = yield* directory.list
  yield* Effect.forEach(names.filter(SegmentHeader.isUnfinished), directory.remove, { discard: true })
})
