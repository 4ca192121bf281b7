/**
 * The files of the segments: how one comes into being ahead of its time, and how it goes.
 *
 * A segment is made at its full size, with its header, under another name, and gets its own name when that is
 * durable. From then on it is ready: the log can go on in it with a single flush. It goes once the log begins after
 * all that is in it, the oldest first; some of those are kept under another name, and become the next segment as
 * they are (`StampedSectors`).
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
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

const pageBytes = 4096

/** The size of a segment whose records reach up to `neededEnd` at least. */
const fileBytesFor = (segmentBytes: number, neededEnd = 0): number =>
  Math.ceil(Math.max(segmentBytes, StampedSectors.offsetOf(neededEnd)) / pageBytes) * pageBytes

/** Whether a segment whose records reach up to `neededEnd` is no larger than others. */
export const isOfUsualSize = (segmentBytes: number, neededEnd: number): boolean =>
  fileBytesFor(segmentBytes, neededEnd) === fileBytesFor(segmentBytes)

const unfinishedNameOf = (number: number): string =>
  SegmentHeader.nameOf(number) + SegmentHeader.unfinishedSuffix

/** A segment that has its name. */
export interface NewSegment {
  readonly header: SegmentHeader.SegmentHeader
  readonly file: LogFile
  /** Where among its records the next one goes. */
  readonly position: number
}

export interface NewSegmentOptions extends SegmentOptions {
  readonly number: number
  /** How far its records must be able to reach. */
  readonly neededEnd: number
  /** The number of a retired segment that it may be made of. */
  readonly retired?: number | undefined
  /** Its first record, with sequence number 1, where the log begins with it. Otherwise it is empty. */
  readonly opening?: BatchRecord.Opening
}

/** Makes a segment. In the place of one that has this number already, and must be empty. */
export const make = (
  directory: LogDirectory,
  options: NewSegmentOptions
): Effect.Effect<NewSegment, StorageError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(groundFor(directory, options, restore), (ground) =>
      restore(begin(directory, ground, options)).pipe(
        Effect.flatMap((segment) => underItsName(directory, segment)),
        Effect.ensuring(ground.file.close)
      )
    )
  )

/** Removes what was made of a segment that never got its name. */
export const clear = Effect.fnUntraced(function* (directory: LogDirectory, number: number) {
  const unfinished = unfinishedNameOf(number)
  if ((yield* directory.list).includes(unfinished)) yield* directory.remove(unfinished)
})

/** Opened once more: who hears of a full disk is to hear of a file that is there. */
const underItsName = (directory: LogDirectory, segment: Omit<NewSegment, "file">) =>
  Effect.map(directory.open(SegmentHeader.nameOf(segment.header.number)), (file): NewSegment => ({
    ...segment,
    file
  }))

/** A file that is to become a segment, under its unfinished name. */
interface Ground {
  readonly file: LogFile
  readonly fileBytes: number
  /** Of the former segment. */
  readonly formerSalt: number | undefined
}

/** Lets itself be interrupted only where no file can be left open. */
type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

const groundFor = Effect.fnUntraced(function* (
  directory: LogDirectory,
  options: NewSegmentOptions,
  restore: Restore
) {
  const { neededEnd, number, retired, segmentBytes } = options
  const fileBytes = fileBytesFor(segmentBytes, neededEnd)
  const renewed =
    retired === undefined ? undefined : yield* renew(directory, { fileBytes, number, retired }, restore)
  if (renewed !== undefined) return renewed
  const file = yield* directory.create(unfinishedNameOf(number), fileBytes)
  return { file, fileBytes, formerSalt: undefined } satisfies Ground
})

/**
 * Takes the file of a retired segment; `undefined` where it is not what it was when it was retired, or has another
 * size than segments have now, or a format that may have anything in the place of a stamp.
 */
const renew = (
  directory: LogDirectory,
  wanted: { readonly fileBytes: number; readonly number: number; readonly retired: number },
  restore: Restore
): Effect.Effect<Ground | undefined, StorageError> => {
  const { fileBytes, number, retired } = wanted
  const name = SegmentHeader.retiredNameOf(retired)
  const take = Effect.fnUntraced(function* (file: LogFile) {
    const header = yield* restore(readHeader(file, name))
    if (isFit(header, wanted)) {
      yield* directory.rename(name, unfinishedNameOf(number))
      return { file, fileBytes, formerSalt: header.salt } satisfies Ground
    }
    yield* directory.remove(name)
    yield* file.close
    return undefined
  })
  return Effect.flatMap(directory.open(name), (file) => Effect.onError(take(file), () => file.close))
}

const readHeader = Effect.fnUntraced(function* (file: LogFile, name: string) {
  const start = yield* file.read(0, SegmentHeader.headerBytes)
  const header = SegmentHeader.decode(start, name, yield* file.sizeBytes)
  return "_tag" in header ? undefined : header
})

const isFit = (
  header: SegmentHeader.SegmentHeader | undefined,
  { fileBytes, retired }: { readonly fileBytes: number; readonly retired: number }
): header is SegmentHeader.SegmentHeader =>
  header !== undefined &&
  SegmentLayout.hasStamps(header) &&
  header.number === retired &&
  header.fileBytes === fileBytes

/** A segment has its name only once its beginning and its size are durable. */
const begin = Effect.fnUntraced(function* (
  directory: LogDirectory,
  { file, fileBytes, formerSalt }: Ground,
  { identity, number, opening }: NewSegmentOptions
) {
  const header: SegmentHeader.SegmentHeader = {
    version: SegmentHeader.formatVersion,
    identity,
    salt: RecordMarks.saltOf(yield* Random.next, formerSalt),
    number,
    firstSequence: undefined,
    fileBytes,
    formerSums: undefined
  }
  const start = [SegmentHeader.encode(header), ...firstRecord(header, opening)]
  yield* file.write(start, 0)
  yield* file.sync
  yield* directory.rename(unfinishedNameOf(number), SegmentHeader.nameOf(number))
  yield* directory.sync
  const openingBytes = opening === undefined ? 0 : BatchRecord.openingBytes(opening)
  return { header, position: SegmentHeader.headerBytes + openingBytes }
})

const firstRecord = (
  header: SegmentHeader.SegmentHeader,
  opening: BatchRecord.Opening | undefined
): ReadonlyArray<Uint8Array> => {
  if (opening === undefined) return []
  const place = { sequence: 1, life: RecordMarks.lifeOf(header) }
  const record = BatchRecord.makeEncoder().opening(opening, place)
  // Shorter than a sector, so this is one portion.
  return Array.from(SegmentLayout.makePlace()(header, record.parts, SegmentHeader.headerBytes)).flatMap(
    ({ parts }) => parts
  )
}

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
