/**
 * One segment of a log, read back: its header, the records in it up to the first that is not whole, and what stands
 * behind them. Nothing is changed here, but for what was read.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as FormerSectors from "./FormerSectors.ts"
import { useFile } from "./LogFileSystem.ts"
import type { ReadableDirectory } from "./LogFileSystem.ts"
import * as RecordMarks from "./RecordMarks.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"
import * as SegmentScan from "./SegmentScan.ts"
import * as TornTail from "./TornTail.ts"

export interface Segment extends SegmentLayout.Contents {
  readonly location: string
  /** As it was read, in formats before 4. */
  readonly file: Uint8Array
  readonly header: SegmentHeader.SegmentHeader
  readonly scan: SegmentScan.SegmentScan
}

export const damaged = (location: string, offset: number, detail: string) =>
  new RaftStorage.StorageError({ reason: new RaftStorage.DamagedStore({ location, offset, detail }) })

/** Damage at a position among the records of a segment. */
export const damagedAt = ({ header, location }: Segment, position: number, detail: string) =>
  damaged(location, SegmentLayout.offsetOf(header, position), detail)

/** Reads no more than `maxBytes` of the file. */
export const read = Effect.fnUntraced(function* (
  directory: ReadableDirectory,
  identity: StorageIdentity,
  number: number,
  maxBytes: number
) {
  const name = SegmentHeader.nameOf(number)
  const location = join(directory.path, name)
  const { file, fileBytes } = yield* readFile(directory, name, maxBytes)
  const header = SegmentHeader.decode(file, location, fileBytes)
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
  const contents = SegmentLayout.contentsOf(header, file)
  const scan = SegmentScan.scan(contents.records, header)
  return { ...contents, location, file, header, scan } satisfies Segment
})

const readFile = (directory: ReadableDirectory, name: string, maxBytes: number) =>
  maxBytes === Number.POSITIVE_INFINITY
    ? Effect.map(directory.read(name), (file) => ({ file, fileBytes: file.byteLength }))
    : useFile(directory, name, (opened) =>
        Effect.all({ file: opened.read(0, maxBytes), fileBytes: opened.sizeBytes })
      )

/** Whether the first record of the segment is whole. */
export const isBegun = ({ header, scan }: Segment): boolean =>
  !SegmentHeader.hasOpening(header) || scan.opening !== undefined

/** What stands behind the records of a segment, where the one with this number is due. */
export const judgeTail = ({ file, ground, header, location, records, scan }: Segment, sequence: number) =>
  Effect.suspend(() => {
    const life = RecordMarks.lifeOf(header)
    const sums = header.formerSums
    if (sums !== undefined && FormerSectors.checksumOf(file) !== sums) {
      const at = FormerSectors.startOf(file.byteLength)
      return Effect.fail(damaged(location, at, "the sums of what was in the file before have changed"))
    }
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
    return Effect.succeed(TornTail.judge(view, scan.end, { sequence, life }, ground))
  })

/**
 * Nobody looks at what was read of this segment any more. Left to the collector it would stay until the next major
 * collection, and bring that about while the node starts.
 */
export const giveBack = ({ file: { buffer, byteLength } }: Segment): void => {
  // Of a buffer that is larger others may have a part.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

const isSame = (a: StorageIdentity, b: StorageIdentity): boolean =>
  a.clusterId === b.clusterId && a.groupId === b.groupId && a.nodeId === b.nodeId
