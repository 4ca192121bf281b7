/** A look at each kind of file of a store by itself: what is in it, and what is wrong with it. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as BatchRecord from "./BatchRecord.ts"
import type { EntryRange, PartReport, SegmentReport, SnapshotReport } from "./InspectionReport.ts"
import { useFile } from "./LogFileSystem.ts"
import type { ReadableDirectory } from "./LogFileSystem.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"
import * as SegmentScan from "./SegmentScan.ts"
import * as SnapshotFile from "./SnapshotFile.ts"

/** What one file says, whose it is, and why it cannot be believed. */
export interface Look<Report> {
  readonly report: Report
  readonly identity: StorageIdentity | null
  readonly problem: Problem | undefined
}

/** Anything but a disk that cannot be read: that is no finding. */
export type Problem = StorageError["reason"]

/** Turns what is wrong with the files into a finding. */
export const orProblem = <A>(look: Effect.Effect<A, StorageError>) =>
  Effect.matchEffect(look, {
    onSuccess: (found) => Effect.succeed({ found, problem: undefined }),
    onFailure: (error) =>
      error.reason._tag === "IoFailed"
        ? Effect.fail(error)
        : Effect.succeed({ found: undefined, problem: error.reason })
  })

export const segment = (directory: ReadableDirectory, number: number) => {
  const name = SegmentHeader.nameOf(number)
  return Effect.map(directory.read(name), (file): Look<SegmentReport> => {
    const header = SegmentHeader.decode(file, join(directory.path, name))
    if ("_tag" in header)
      return { identity: null, problem: header, report: unreadSegment(name, file, header) }
    const { records } = SegmentLayout.contentsOf(header, file)
    const scan = SegmentScan.scan(records, header)
    const { entries, problem } = entriesOf(records, scan)
    const report = {
      name,
      fileBytes: file.byteLength,
      usedBytes: SegmentLayout.offsetOf(header, scan.end),
      formatVersion: header.version,
      records: scan.records.length,
      entries,
      isSealed: scan.isSealed,
      problem
    }
    return { identity: header.identity, problem: undefined, report }
  })
}

const unreadSegment = (name: string, file: Uint8Array, problem: Problem): SegmentReport => ({
  name,
  fileBytes: file.byteLength,
  usedBytes: 0,
  formatVersion: problem._tag === "UnsupportedFormat" ? problem.found : null,
  records: 0,
  entries: [],
  isSealed: false,
  problem: problem.message
})

const entriesOf = (bytes: Uint8Array, { records }: SegmentScan.SegmentScan) => {
  const blocks: Array<LogEntry.EntryBlock> = []
  for (const { at, header } of records) {
    const batch = BatchRecord.readBatch(bytes, at, header)
    if (batch instanceof LogEntry.MalformedBlock) return { entries: rangesOf(blocks), problem: batch.message }
    for (const block of batch.blocks) blocks.push(block)
  }
  return { entries: rangesOf(blocks), problem: null }
}

/** The entries of these blocks as ranges of one term each, in the order in which they were written. */
export const rangesOf = (blocks: ReadonlyArray<LogEntry.EntryBlock>): ReadonlyArray<EntryRange> => {
  const ranges: Array<EntryRange> = []
  for (const block of blocks) {
    for (let index = block.firstIndex; index <= LogEntry.lastIndex(block); index = LogIndex.plus(index, 1)) {
      const term = LogEntry.termAt(block, index)
      const last = ranges.at(-1)
      if (last !== undefined && last.term === term && last.lastIndex === index - 1) {
        ranges[ranges.length - 1] = { ...last, lastIndex: index }
      } else {
        ranges.push({ term, firstIndex: index, lastIndex: index })
      }
    }
  }
  return ranges
}

export const snapshot = (directory: ReadableDirectory, name: string) => {
  const location = join(directory.path, name)
  return useFile(directory, name, (file) =>
    Effect.gen(function* () {
      const { found: header } = yield* orProblem(SnapshotFile.readHeader(file, location))
      const { found, problem } = yield* orProblem(SnapshotFile.verify(file, location))
      const report: SnapshotReport = {
        name,
        fileBytes: yield* file.sizeBytes,
        meta: header?.meta ?? null,
        sizeBytes: found?.sizeBytes ?? null,
        problem: problem?.message ?? null
      }
      const look: Look<SnapshotReport> = { identity: header?.identity ?? null, problem, report }
      return look
    })
  )
}

export const part = (directory: ReadableDirectory, name: string) =>
  useFile(directory, name, (file) =>
    Effect.gen(function* () {
      const { found: header } = yield* orProblem(SnapshotFile.readHeader(file, join(directory.path, name)))
      const chunks =
        header === undefined ? 0 : yield* SnapshotFile.forEachFullChunk(file, header, () => Effect.void)
      const report: PartReport = {
        name,
        fileBytes: yield* file.sizeBytes,
        meta: header?.meta ?? null,
        wholeBytes: chunks * (header?.chunkBytes ?? 0)
      }
      return report
    })
  )
