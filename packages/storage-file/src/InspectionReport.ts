/**
 * What a look into a store's directory finds, in a form that stays the same for programs that read it.
 * Everything is about files; what a node would do with them is in the verdict.
 */
import * as Schema from "effect/Schema"
import { LogIndex } from "@effect-raft/core/LogIndex"
import { NodeId } from "@effect-raft/core/NodeId"
import { StorageIdentity } from "@effect-raft/core/RaftStorage"
import { SnapshotMeta } from "@effect-raft/core/Snapshot"
import { Term } from "@effect-raft/core/Term"

/** Consecutive entries of one term. */
export const EntryRange = Schema.Struct({ term: Term, firstIndex: LogIndex, lastIndex: LogIndex })
export type EntryRange = typeof EntryRange.Type

export const SegmentReport = Schema.Struct({
  name: Schema.String,
  fileBytes: Schema.Natural,
  /** Up to the end of the last whole record; the header alone where the segment is the next one, and not begun. */
  usedBytes: Schema.Natural,
  formatVersion: Schema.NullOr(Schema.Natural),
  /** Whole records; neither opening nor seal is among them. */
  records: Schema.Natural,
  /** The entries that were written here, also those that were removed later. */
  entries: Schema.Array(EntryRange),
  isSealed: Schema.Boolean,
  /** What is wrong with this file by itself. */
  problem: Schema.NullOr(Schema.String)
})
export type SegmentReport = typeof SegmentReport.Type

export const SnapshotReport = Schema.Struct({
  name: Schema.String,
  fileBytes: Schema.Natural,
  /** `null` where the header cannot be read. */
  meta: Schema.NullOr(SnapshotMeta),
  /** Bytes of the contents. */
  sizeBytes: Schema.NullOr(Schema.Natural),
  /** What is wrong; `null` where every byte is as it was written. */
  problem: Schema.NullOr(Schema.String)
})
export type SnapshotReport = typeof SnapshotReport.Type

/** A snapshot that was not finished. It is gone on with, or removed; nobody relies on it. */
export const PartReport = Schema.Struct({
  name: Schema.String,
  fileBytes: Schema.Natural,
  meta: Schema.NullOr(SnapshotMeta),
  /** Bytes of the contents that are there and whole. */
  wholeBytes: Schema.Natural
})
export type PartReport = typeof PartReport.Type

/** What a node would do when it opened the directory. */
export const Verdict = Schema.TaggedUnion({
  /** Make a new store. */
  Empty: {},
  /** Open it. */
  Sound: {},
  /** Cut off a write that was under way when the node stopped and was never acknowledged, and open it. */
  TornTail: { file: Schema.String, offset: Schema.Natural, bytes: Schema.Natural },
  /** Refuse it: bytes are not those that were written, or are missing. */
  Damaged: {
    file: Schema.String,
    offset: Schema.Natural,
    detail: Schema.String,
    advice: Schema.String
  },
  /** Refuse it: a newer program wrote it. */
  TooNew: { file: Schema.String, found: Schema.Natural, supported: Schema.Natural }
})
export type Verdict = typeof Verdict.Type

export const InspectionReport = Schema.Struct({
  directory: Schema.String,
  /** Who opened it last, in words; `null` where that is not written down. */
  lastOpenedBy: Schema.NullOr(Schema.String),
  identity: Schema.NullOr(StorageIdentity),
  /** What the whole log adds up to; `null` where it cannot be read. */
  log: Schema.NullOr(
    Schema.Struct({
      currentTerm: Term,
      votedFor: Schema.NullOr(NodeId),
      base: Schema.Struct({ index: LogIndex, term: Term }),
      lastIndex: LogIndex,
      entries: Schema.Array(EntryRange)
    })
  ),
  segments: Schema.Array(SegmentReport),
  /** The last is the newest. */
  snapshots: Schema.Array(SnapshotReport),
  parts: Schema.Array(PartReport),
  verdict: Verdict
})
export type InspectionReport = typeof InspectionReport.Type
