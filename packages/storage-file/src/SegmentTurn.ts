/**
 * How a log goes on from one segment to the next, without a flush more than the batch has anyway.
 *
 * 1. Ahead of its time, in the background, the next segment is made and gets its name (`SegmentFiles.make`). It is
 *    empty, and a log that ends with an empty segment ends where the one before it does.
 * 2. The first batch that does not fit any more goes into it, with its opening, in one write and one flush. From
 *    then on the log goes on there.
 * 3. Only then, in the background, the full one is sealed with a record that says so: should the last file ever be
 *    missing, the seal of the one before gives it away. When the machine stops in between, the seal is written
 *    when the log is opened again.
 *
 * A segment before one that is begun has nothing to add but its seal, so nobody waits for it but the next turn.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as LogIndex from "@effect-raft/core/LogIndex"
import type { StorageError } from "@effect-raft/core/RaftStorage"
import * as BatchRecord from "./BatchRecord.ts"
import * as CoveredSegments from "./CoveredSegments.ts"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"
import type { FullSegment, OpenLog } from "./OpenLog.ts"
import * as RecordMarks from "./RecordMarks.ts"
import type { UnsealedSegment } from "./Recovery.ts"
import * as SegmentFiles from "./SegmentFiles.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"

/**
 * How full a segment is when the next one is made. Early: the log cannot go on without it, and to make it takes
 * long on a machine that has much else to do. Not at once: a log that hardly grows needs no second segment.
 */
const nextFrom = 1 / 4

/**
 * Makes the next segment in the background, once it is time. What goes wrong is in the node's log at once, and is an
 * error for who goes on in it.
 */
export const prepare = (log: OpenLog): Effect.Effect<void> =>
  log.next === undefined && log.position > log.segment.fileBytes * nextFrom
    ? Effect.asVoid(makeNext(log, SegmentHeader.headerBytes))
    : Effect.void

/** One that must be larger than others is made of no former one. */
const makeNext = (log: OpenLog, neededEnd: number) =>
  Effect.suspend(() => {
    const { directory, identity, segmentBytes } = log
    const number = log.segment.number + 1
    const retired = SegmentFiles.isOfUsualSize(segmentBytes, neededEnd) ? log.retired[0] : undefined
    if (retired !== undefined) log.retired = log.retired.slice(1)
    return SegmentFiles.make(directory, { identity, segmentBytes, number, neededEnd, retired }).pipe(
      Effect.tapError((error) => Effect.logWarning("The next segment of the log could not be made", error)),
      Effect.annotateLogs({ fiber: "next segment" }),
      Effect.forkIn(log.scope, { startImmediately: true }),
      Effect.tap((fiber) => Effect.sync(() => void (log.next = fiber)))
    )
  })

/** Goes on in the next segment, in which a record of this size finds room. */
export const goOn = Effect.fnUntraced(function* (log: OpenLog, recordBytes: number) {
  if (log.full?.sealing !== undefined) yield* Fiber.join(log.full.sealing)
  const opening = { hardState: log.hardState, log: log.extent }
  const firstBytes = BatchRecord.openingBytes(opening) + recordBytes
  const neededEnd = SegmentHeader.headerBytes + firstBytes + BatchRecord.emptyRecordBytes
  const next = yield* readyWith(log, neededEnd)
  const { file, maxIndex, nextSequence, position, segment } = log
  log.full = { file, segment, position, sequence: nextSequence, maxIndex, sealing: undefined }
  log.next = undefined
  log.maxIndex = LogIndex.zero
  log.file = next.file
  log.segment = next.header
  log.life = RecordMarks.lifeOf(next.header)
  log.position = next.position
  // The seal is a record, too.
  log.nextSequence++
})

/**
 * The next segment, made anew where it is too small. Who is interrupted here leaves it to be closed with the log.
 */
const readyWith = Effect.fnUntraced(function* (log: OpenLog, neededEnd: number) {
  const next = yield* log.next === undefined ? madeNow(log, neededEnd) : madeAhead(log, log.next, neededEnd)
  if (SegmentLayout.roomBytes(next.header) >= neededEnd) return next
  const larger = yield* makeNext(log, neededEnd)
  yield* next.file.close
  return yield* Fiber.join(larger)
})

const madeNow = (log: OpenLog, neededEnd: number) => Effect.flatMap(makeNext(log, neededEnd), Fiber.join)

/**
 * A disk that was full then may have room by now, so what it has refused is asked for once more. That is a new file,
 * which nobody has flushed; what became of a flush that failed is not known, and it stays an error.
 */
const madeAhead = (log: OpenLog, next: NonNullable<OpenLog["next"]>, neededEnd: number) =>
  Effect.catchIf(Fiber.join(next), wasRefused, () =>
    Effect.andThen(SegmentFiles.clear(log.directory, log.segment.number + 1), madeNow(log, neededEnd))
  )

const wasRefused = ({ reason }: StorageError): boolean =>
  reason._tag === "IoFailed" && (reason.operation === "open" || reason.operation === "write")

/** Seals the full segment in the background. Not before the next one is begun, and that is durable. */
export const sealFull = (log: OpenLog): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { full } = log
    if (full === undefined || full.sealing !== undefined) return Effect.void
    return writeSeal(full.file, full).pipe(
      Effect.andThen(Effect.suspend(() => letGo(log, full))),
      Effect.tapError((error) => Effect.sync(() => void (log.ended ??= error))),
      Effect.ensuring(full.file.close),
      Effect.annotateLogs({ fiber: "seal" }),
      Effect.forkIn(log.scope, { startImmediately: true }),
      Effect.map((fiber) => void (full.sealing = fiber))
    )
  })

/** Before it is sealed, nobody may give the file of a full segment to another. */
const letGo = (log: OpenLog, { maxIndex, segment }: FullSegment): Effect.Effect<void> => {
  log.full = undefined
  log.closed = [...log.closed, SegmentFiles.closed(segment, maxIndex)]
  return CoveredSegments.remove(log)
}

/** Seals a segment that the process before this one has left without. */
export const sealLeft = (directory: LogDirectory, left: UnsealedSegment) =>
  Effect.acquireUseRelease(
    directory.open(SegmentHeader.nameOf(left.segment.number)),
    (file) => writeSeal(file, left),
    (file) => file.close
  )

const writeSeal = (
  file: LogFile,
  { position, segment, sequence }: Pick<FullSegment, "position" | "segment" | "sequence">
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    const record = BatchRecord.makeEncoder().seal({ sequence, life: RecordMarks.lifeOf(segment) })
    const placed = SegmentLayout.makePlace()(segment, record.parts, position)
    return Effect.andThen(SegmentLayout.write(file, placed), file.sync)
  })

/** Closes what is open beside the file that is written to. */
export const close = Effect.fnUntraced(function* ({ full, next }: OpenLog) {
  if (next !== undefined) {
    yield* Fiber.interrupt(next)
    const exit = yield* Fiber.await(next)
    if (exit._tag === "Success") yield* exit.value.file.close
  }
  if (full === undefined) return
  if (full.sealing === undefined) yield* full.file.close
  else yield* Fiber.interrupt(full.sealing)
})
