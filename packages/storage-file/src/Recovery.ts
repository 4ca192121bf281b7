/**
 * Reading a log back: every segment in order, every record in it, up to where the last write ended.
 *
 * Nothing is changed here. What must be changed before the log may go on (a write that was cut short
 * cleared away, the last record written once more) is returned for `WriteAheadLog` to do.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as BatchRecord from "./BatchRecord.ts"
import type { LogDirectory } from "./LogFileSystem.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentScan from "./SegmentScan.ts"
import * as TornTail from "./TornTail.ts"

/** What the log held, and where and how it goes on. */
export interface RecoveredLog {
  readonly state: RaftStorage.StoredState
  readonly notes: ReadonlyArray<string>
  readonly segment: SegmentHeader.SegmentHeader
  /** Where in the last segment the next record goes. */
  readonly position: number
  readonly nextSequence: number
  /** The last record of the last segment, which may never have been flushed. */
  readonly lastRecord: Uint8Array | undefined
  /** Bytes from `position` that a write left behind which was cut short. */
  readonly tornBytes: number
}

interface Segment {
  readonly location: string
  readonly file: Uint8Array
  readonly header: SegmentHeader.SegmentHeader
  readonly scan: SegmentScan.SegmentScan
}

const damaged = (location: string, offset: number, detail: string) =>
  new RaftStorage.StorageError({ reason: new RaftStorage.DamagedStore({ location, offset, detail }) })

/** Reads the log of `identity` from the segments with these numbers, of which there is at least one. */
export const recover = Effect.fnUntraced(function* (
  directory: LogDirectory,
  identity: StorageIdentity,
  numbers: ReadonlyArray<number>
) {
  const missing = numbers.findIndex((number, position) => number !== position + 1)
  if (missing !== -1) {
    const name = SegmentHeader.nameOf(missing + 1)
    return yield* damaged(join(directory.path, name), 0, "this segment is missing, and later ones are there")
  }
  const state = RaftStorage.emptyState()
  let current = yield* readSegment(directory, identity, 1)
  for (const number of numbers.slice(1)) {
    const next = yield* readSegment(directory, identity, number)
    yield* absorbClosed(state, current, next)
    current = next
  }
  return yield* absorbLast(state, current)
})

const readSegment = Effect.fnUntraced(function* (
  directory: LogDirectory,
  identity: StorageIdentity,
  number: number
) {
  const name = SegmentHeader.nameOf(number)
  const location = join(directory.path, name)
  const file = yield* directory.read(name)
  const header = SegmentHeader.decode(file, location)
  if ("_tag" in header) return yield* new RaftStorage.StorageError({ reason: header })
  if (!isSame(header.identity, identity)) {
    const reason = new RaftStorage.ForeignStore({
      location: directory.path,
      expected: identity,
      found: header.identity
    })
    return yield* new RaftStorage.StorageError({ reason })
  }
  if (header.number !== number)
    return yield* damaged(location, 0, `this is segment ${header.number}, renamed`)
  return { location, file, header, scan: SegmentScan.scan(file, header) } satisfies Segment
})

const isSame = (a: StorageIdentity, b: StorageIdentity): boolean =>
  a.clusterId === b.clusterId && a.groupId === b.groupId && a.nodeId === b.nodeId

/**
 * A segment that is not the last must have every record up to the first of the next. Only its seal may be
 * missing: the next segment is made before this one is sealed.
 */
const absorbClosed = (state: RaftStorage.StoredState, segment: Segment, next: Segment) => {
  const due = next.header.firstSequence
  const { end, nextSequence } = segment.scan
  return nextSequence === due || nextSequence === due - 1
    ? absorbRecords(state, segment, segment.file)
    : Effect.fail(damaged(segment.location, end, `record ${nextSequence} of ${due - 1} is not whole`))
}

const absorbLast = Effect.fnUntraced(function* (state: RaftStorage.StoredState, segment: Segment) {
  const { file, header, location, scan } = segment
  if (scan.isSealed) {
    const next = SegmentHeader.nameOf(header.number + 1)
    return yield* damaged(location, scan.end, `the log goes on in ${next}, which is missing`)
  }
  const tail = TornTail.judge(file, scan.end, { sequence: scan.nextSequence, salt: header.salt })
  if (tail._tag === "Damaged") return yield* damaged(location, scan.end, tail.detail)
  // The blocks are views and keep their file in memory: leave the unused space out.
  const kept = file.slice(0, scan.end)
  yield* absorbRecords(state, segment, kept)
  const tornBytes = tail._tag === "Torn" ? tail.untilByte - scan.end : 0
  return {
    state,
    notes: tornBytes === 0 ? [] : [tornNote(location, scan.end, tornBytes)],
    segment: header,
    position: scan.end,
    nextSequence: scan.nextSequence,
    lastRecord:
      scan.records.length === 0 ? undefined : kept.subarray(scan.records[scan.records.length - 1]!.at),
    tornBytes
  } satisfies RecoveredLog
})

const tornNote = (location: string, at: number, bytes: number): string =>
  `${location}: cut off ${bytes} bytes at byte ${at}, a write that was under way when the node stopped and was never acknowledged`

const absorbRecords = (
  state: RaftStorage.StoredState,
  segment: Segment,
  file: Uint8Array
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    for (const { at, header } of segment.scan.records) {
      const batch = BatchRecord.readBatch(file, at, header)
      if (batch instanceof LogEntry.MalformedBlock)
        return Effect.fail(damaged(segment.location, at, batch.message))
      const problem = RaftStorage.misfit(RaftStorage.lastIndexOf(state), batch)
      if (problem !== undefined) return Effect.fail(damaged(segment.location, at, problem))
      RaftStorage.absorb(state, batch)
    }
    return Effect.void
  })
