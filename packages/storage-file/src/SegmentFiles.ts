/**
 * The files of the segments: how one comes into being, is kept ready ahead of its time, and goes.
 *
 * A segment is made at its full size, under another name, and gets its own name when it is durable. To make a file
 * and flush it takes longer than a write, so it is done while the present segment is still being written. A segment
 * goes once the log begins after all that is in it, the oldest first; some of those are kept under another name, and
 * become the next segment as they are (`StampedSectors`).
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
import * as RecordMarks from "./RecordMarks.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"
import * as StampedSectors from "./StampedSectors.ts"

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

/** What can become the next segment: a file that reads as zeros, or one of what a former segment has left. */
export interface Spare {
  readonly file: LogFile
  readonly number: number
  readonly fileBytes: number
  /** Of the former segment. */
  readonly formerSalt: number | undefined
}

const pageBytes = 4096

/** The size of a segment whose records reach up to `neededEnd` at least. */
const fileBytesFor = (segmentBytes: number, neededEnd = SegmentHeader.headerBytes): number =>
  Math.ceil(Math.max(segmentBytes, StampedSectors.offsetOf(neededEnd)) / pageBytes) * pageBytes

const unfinishedNameOf = (number: number): string =>
  SegmentHeader.nameOf(number) + SegmentHeader.unfinishedSuffix

const makeSpare = (directory: LogDirectory, number: number, fileBytes: number) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(directory.create(unfinishedNameOf(number), fileBytes)), (file) =>
      restore(file.sync).pipe(
        Effect.as<Spare>({ file, number, fileBytes, formerSalt: undefined }),
        Effect.onError(() => file.close)
      )
    )
  )

/**
 * Makes a spare of the retired segment `former`; `undefined` where its file is not what it was when it was retired,
 * or has another size than segments have now, or an older format, which may have anything in the place of a stamp.
 */
const renewSpare = (directory: LogDirectory, number: number, former: number, fileBytes: number) =>
  Effect.uninterruptibleMask((restore) => {
    const name = SegmentHeader.retiredNameOf(former)
    return Effect.flatMap(directory.open(name), (file) =>
      restore(readHeader(file, name)).pipe(
        Effect.map((header) => (isFit(header, former, fileBytes) ? header : undefined)),
        Effect.tap((header) =>
          header === undefined ? directory.remove(name) : directory.rename(name, unfinishedNameOf(number))
        ),
        Effect.onError(() => file.close),
        Effect.flatMap((header) =>
          header === undefined
            ? Effect.as(file.close, undefined)
            : Effect.succeed<Spare>({ file, number, fileBytes, formerSalt: header.salt })
        )
      )
    )
  })

const readHeader = Effect.fnUntraced(function* (file: LogFile, name: string) {
  const start = yield* file.read(0, SegmentHeader.headerBytes)
  const header = SegmentHeader.decode(start, name, yield* file.sizeBytes)
  return "_tag" in header ? undefined : header
})

const isFit = (
  header: SegmentHeader.SegmentHeader | undefined,
  number: number,
  fileBytes: number
): header is SegmentHeader.SegmentHeader =>
  header?.version === SegmentHeader.formatVersion &&
  header.number === number &&
  header.fileBytes === fileBytes

/** Makes a spare in the background, of a retired segment where there is one. What goes wrong is heard by who takes it. */
export const prepareSpare = (
  directory: LogDirectory,
  options: {
    readonly number: number
    readonly segmentBytes: number
    readonly scope: Scope.Scope
    /** The number that it had. */
    readonly retired: number | undefined
  }
): Effect.Effect<Fiber.Fiber<Spare, StorageError>> =>
  Effect.gen(function* () {
    const { number, retired } = options
    const fileBytes = fileBytesFor(options.segmentBytes)
    const renewed =
      retired === undefined ? undefined : yield* renewSpare(directory, number, retired, fileBytes)
    return renewed ?? (yield* makeSpare(directory, number, fileBytes))
  }).pipe(
    Effect.annotateLogs({ fiber: "spare segment" }),
    Effect.forkIn(options.scope, { startImmediately: true })
  )

/** Removes a spare that is not needed, or not large enough. */
export const removeSpare = (directory: LogDirectory, { file, number }: Spare) =>
  Effect.andThen(file.close, directory.remove(unfinishedNameOf(number)))

/** Closes what a fiber that was to make a spare has left open. */
export const closeSpare = (exit: Exit.Exit<Spare, StorageError>): Effect.Effect<void> =>
  exit._tag === "Success" ? exit.value.file.close : Effect.void

export interface NewSegment {
  readonly header: SegmentHeader.SegmentHeader
  readonly file: LogFile
  /** Where among its records the second one goes. */
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
  const position = SegmentHeader.headerBytes + BatchRecord.openingBytes(opening)
  const neededEnd = position + options.recordBytes + BatchRecord.emptyRecordBytes
  const spare = yield* fitting(directory, options.spare, neededEnd)
  const header: SegmentHeader.SegmentHeader = {
    version: SegmentHeader.formatVersion,
    identity,
    salt: RecordMarks.saltOf(yield* Random.next, spare?.formerSalt),
    number,
    firstSequence,
    fileBytes: spare?.fileBytes ?? fileBytesFor(segmentBytes, neededEnd),
    formerSums: undefined
  }
  const place = { sequence: firstSequence, life: RecordMarks.lifeOf(header) }
  const first = BatchRecord.makeEncoder().opening(opening, place)
  const { parts } = SegmentLayout.makePlace()(header, first.parts, SegmentHeader.headerBytes)
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      spare === undefined
        ? directory.create(unfinishedNameOf(number), header.fileBytes)
        : Effect.succeed(spare.file),
      (file) =>
        restore(giveName(directory, file, number, [SegmentHeader.encode(header), ...parts])).pipe(
          Effect.as<NewSegment>({ header, file, position }),
          Effect.onError(() => file.close)
        )
    )
  )
})

const fitting = (directory: LogDirectory, spare: Spare | undefined, neededEnd: number) => {
  if (spare === undefined || StampedSectors.roomBytes(spare.fileBytes) >= neededEnd)
    return Effect.succeed(spare)
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
 * Lets the oldest segments go, of which `kept` may be written over again: those lose only their names, and their
 * numbers are returned. That is durable first: under its old name a file must never be read with what it holds in
 * its next life.
 */
export const retire = Effect.fnUntraced(function* (
  directory: LogDirectory,
  segments: ReadonlyArray<ClosedSegment>,
  { kept, segmentBytes }: { readonly kept: number; readonly segmentBytes: number }
) {
  const retired: Array<number> = []
  for (const { fileBytes, number } of segments) {
    const name = SegmentHeader.nameOf(number)
    if (retired.length < kept && fileBytes === fileBytesFor(segmentBytes)) {
      yield* directory.rename(name, SegmentHeader.retiredNameOf(number))
      retired.push(number)
    } else yield* directory.remove(name)
  }
  if (segments.length > 0) yield* directory.sync
  return retired
})

/**
 * Removes what a crash has left of segments that were being made. Of those that wait to be written over it keeps
 * the oldest, up to `kept`, and returns their numbers: they were needless before they were renamed. One whose
 * former name is there as well is the same file.
 */
export const tidy = Effect.fnUntraced(function* (directory: LogDirectory, kept: number) {
  const names = yield* directory.list
  const retired = SegmentHeader.retiredNumbersOf(names)
    .filter((number) => !names.includes(SegmentHeader.nameOf(number)))
    .slice(0, kept)
  const keptNames = retired.map(SegmentHeader.retiredNameOf)
  const needless = names.filter((name) => SegmentHeader.isUnfinished(name) && !keptNames.includes(name))
  yield* Effect.forEach(needless, directory.remove, { discard: true })
  return retired
})
