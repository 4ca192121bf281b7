/**
 * Bugs in the write-ahead log and its snapshots: what is flushed, when and in which order, and what is
 * believed of it when it is read back. They are hunted on the log itself, in files that forget and tear.
 */
import * as Aims from "./Aims.ts"
import type { Bug } from "./Bug.ts"

const inFiles = (bugs: ReadonlyArray<Omit<Bug, "package">>): ReadonlyArray<Bug> =>
  bugs.map((bug) => ({ ...bug, package: "storage-file" }))

export const storageBugs: ReadonlyArray<Bug> = inFiles([
  {
    name: "a write is acknowledged without a flush",
    claim: "a write is durable after the flush of its file (docs/decisions/0012)",
    file: "OpenLog.ts",
    find: "Effect.map(log.file.sync, () => {",
    replace: "Effect.map(Effect.void, () => {"
  },
  {
    name: "a failed flush is tried again",
    claim:
      "after a flush that failed the kernel takes pages for clean that the disk does not have (docs/decisions/0012)",
    file: "OpenLog.ts",
    find: "Effect.map(log.file.sync, () => {",
    replace: "Effect.map(Effect.retry(log.file.sync, { times: 1 }), () => {"
  },
  {
    name: "what was read back is relied on without being written once more",
    claim: "what a start reads may be in the page cache only (docs/decisions/0012)",
    file: "WriteAheadLog.ts",
    find: "  if (lastWrite !== undefined) yield* OpenLog.writeAt(log, [lastWrite], position - lastWrite.byteLength)\n  yield* log.file.sync\n",
    replace: ""
  },
  {
    name: "what a write that was cut short has left is not cleared away",
    claim: "behind the last record a log is empty (docs/decisions/0012)",
    file: "WriteAheadLog.ts",
    find: "  if (tornBytes > 0) yield* log.file.write([new Uint8Array(tornBytes)], offset)\n",
    replace: "",
    unseen: "a longer write has to be cut short, a shorter one to come, and the power to go before the next"
  },
  {
    name: "a segment gets its name and the directory is not flushed",
    claim: "a name is durable after the flush of its directory (docs/decisions/0012)",
    file: "SegmentFiles.ts",
    find: "SegmentHeader.nameOf(number))\n  yield* directory.sync\n",
    replace: "SegmentHeader.nameOf(number))\n",
    aim: Aims.all(Aims.powerCuts, Aims.busy)
  },
  {
    name: "a segment gets its name before its beginning is flushed",
    claim: "a segment that has its name is whole (docs/decisions/0012)",
    file: "SegmentFiles.ts",
    find: "  yield* file.write(start, 0)\n  yield* file.sync\n",
    replace: "  yield* file.write(start, 0)\n"
  },
  {
    name: "a segment is written over before its old name is gone for good",
    claim:
      "under its old name a file is never read with what it holds in its next life (docs/decisions/0034)",
    file: "SegmentFiles.ts",
    find: "  if (segments.length > 0) yield* directory.sync\n  return retired\n",
    replace: "  return retired\n",
    unseen:
      "between the first byte of a next life and its name there are two flushes; retired-segments.test.ts looks at the order"
  },
  {
    name: "a segment is written over with the marks of its former life",
    claim: "what a former segment has left is not taken for what was written since (docs/decisions/0034)",
    file: "RecordMarks.ts",
    find: "return former !== undefined && isNear(salt, former) ? ~salt >>> 0 : salt",
    replace: "return former ?? salt",
    aim: Aims.reusing
  },
  {
    name: "the stamp of a former segment is taken for one of this",
    claim: "a write that was cut short is told from damage (docs/decisions/0036)",
    file: "UnstampedSectors.ts",
    find: "stamps[sector] === stamp",
    replace: "stamps[sector] !== 0",
    aim: Aims.reusing
  },
  {
    name: "a damaged record is cut off",
    claim: "what was acknowledged is never thrown away (docs/decisions/0036)",
    file: "UnstampedSectors.ts",
    find: "    if (sectorOf(untilByte - 1) > sectorOf(end - 1)) return false\n",
    replace: "    return true\n",
    unseen: "no bit changes in its files; the tests of damage.test.ts change every one"
  },
  {
    name: "a segment is removed though an entry in it is needed",
    claim: "only what a snapshot covers may go (paper, 7)",
    file: "CoveredSegments.ts",
    find: "maxIndex > extent.base.index)",
    replace: "maxIndex > extent.base.index + 3)",
    aim: Aims.all(Aims.laggards, Aims.busy)
  },
  {
    name: "the first record of a segment forgets the vote",
    claim: "votedFor is persistent state (paper, figure 2)",
    file: "OpenLog.ts",
    find: "const opening = { hardState: log.hardState, log: log.extent }",
    replace: "const opening = { hardState: { ...log.hardState, votedFor: null }, log: log.extent }"
  },
  {
    name: "a segment is sealed before the next one is begun",
    claim: "after a seal nothing may be missing (docs/decisions/0039)",
    file: "WriteAheadLog.ts",
    find: "Effect.andThen(SegmentTurn.goOn(log, recordBytes), append)",
    replace:
      "Effect.andThen(Effect.andThen(SegmentTurn.goOn(log, recordBytes), SegmentTurn.sealFull(log)), append)",
    unseen:
      "a seal and a batch take equally long there, and end together; crash-points.test.ts cuts the power between them"
  },
  {
    name: "a first record that was damaged is taken for a segment that was not begun",
    claim: "what was acknowledged is never thrown away (docs/decisions/0039)",
    file: "Recovery.ts",
    find: '  if (tail._tag === "Damaged") return yield* firstNotWhole(segment)\n',
    replace: '  if (tail._tag === "Damaged") return { number: header.number, tornBytes: 0 }\n',
    unseen: "no bit changes in its files; next-segment.test.ts changes every one"
  },
  {
    name: "a torn tail is taken for a record",
    claim: "a record counts when its checksum does (docs/decisions/0012)",
    file: "SegmentScan.ts",
    find: "!BatchRecord.isBodyWhole(view, at, header, life)",
    replace: "false"
  },
  {
    name: "entries that were cut off come back when the log is read",
    claim: "an existing entry that conflicts is deleted with all that follow it (paper, 5.3)",
    file: "Recovery.ts",
    find: "  RaftStorage.absorb(state, batch)\n",
    replace: "  RaftStorage.absorb(state, { ...batch, truncateFrom: undefined })\n"
  },
  {
    name: "entries below the snapshot come back when the log is read",
    claim: "a log begins after what its snapshot covers (paper, 7)",
    file: "Recovery.ts",
    find: "  replay.base = RaftStorage.extentAfter(log, batch).base\n",
    replace: ""
  },
  {
    name: "term and vote that come with entries are not written",
    claim: "currentTerm and votedFor are persistent state (paper, figure 2)",
    file: "BatchRecord.ts",
    find: "(batch.hardState === undefined ? 0 : flag.hardState) |",
    replace: "(batch.hardState === undefined || batch.blocks.length > 0 ? 0 : flag.hardState) |"
  },
  {
    name: "a snapshot gets its name before it is flushed",
    claim: "a snapshot that has its name is whole (docs/decisions/0013)",
    file: "SnapshotPart.ts",
    find: "  yield* part.file.sync\n  return size\n",
    replace: "  return size\n"
  },
  {
    name: "a snapshot gets its name and the directory is not flushed",
    claim: "a name is durable after the flush of its directory (docs/decisions/0013)",
    file: "Snapshots.ts",
    find: "  yield* directory.rename(partName, newest.name)\n  yield* directory.sync\n",
    replace: "  yield* directory.rename(partName, newest.name)\n",
    aim: Aims.all(Aims.powerCuts, Aims.busy, Aims.compacting)
  },
  {
    name: "an older snapshot takes the place of a newer one",
    claim: "an old snapshot never removes what is newer (paper, 7)",
    file: "Snapshots.ts",
    find: "if (newest !== undefined && header.meta.lastIndex < newest.snapshot.header.meta.lastIndex) {",
    replace: "if (newest !== undefined && header.meta.lastIndex < 0) {",
    unseen: "the rules never ask for it"
  },
  {
    name: "a snapshot is looked up while it gets its name",
    claim:
      "a reader has the former snapshot or the new one, whole (docs/decisions/0013-snapshots-and-compaction-on-disk.md)",
    file: "Snapshots.ts",
    find: "    }).pipe((open) => shelf.names.withPermit(open))",
    replace: "    })",
    unseen: "files in memory are opened and renamed at once; the tests of readers on real files see it"
  }
])
