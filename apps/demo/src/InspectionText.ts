/**
 * A look into a node's directory, in words and columns.
 */
import type { EntryRange, InspectionReport, Verdict } from "@effect-raft/storage-file/InspectionReport"
import { headerBytes } from "@effect-raft/storage-file/SegmentHeader"
import * as Table from "./Table.ts"

/** Everything that was found. */
export const of = (report: InspectionReport): string =>
  [
    ...about(report),
    ...section(
      "segments",
      report.segments.map(({ name, records, entries, usedBytes, fileBytes, isSealed, problem }) => [
        name,
        `${records} records`,
        rangesOf(entries),
        `${usedBytes} of ${fileBytes} bytes`,
        isSealed ? "sealed" : usedBytes > headerBytes ? "open" : "ready",
        problem ?? ""
      ])
    ),
    ...section(
      "snapshots",
      report.snapshots.map(({ name, meta, sizeBytes, problem }) => [
        name,
        meta === null ? "unreadable" : `up to ${meta.lastIndex} of term ${meta.lastTerm}`,
        sizeBytes === null ? "" : `${sizeBytes} bytes`,
        problem ?? "every byte as written"
      ])
    ),
    ...section(
      "unfinished snapshots",
      report.parts.map(({ name, wholeBytes }) => [name, `${wholeBytes} bytes`])
    ),
    `verdict: ${ofVerdict(report.verdict)}`
  ].join("\n")

const about = ({ directory, identity, lastOpenedBy, log }: InspectionReport): ReadonlyArray<string> => [
  `directory: ${directory}`,
  identity === null
    ? "owner: unknown"
    : `owner: node ${identity.nodeId} of cluster ${identity.clusterId}, group ${identity.groupId}`,
  ...(lastOpenedBy === null ? [] : [`last opened by: ${lastOpenedBy}`]),
  ...(log === null
    ? ["log: cannot be read as a whole"]
    : [
        `term ${log.currentTerm}, vote ${log.votedFor ?? "none"}`,
        `log: after ${log.base.index} of term ${log.base.term}, up to ${log.lastIndex}; ${rangesOf(log.entries)}`
      ])
]

const section = (title: string, rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  rows.length === 0 ? [] : [`${title}:`, Table.format(rows.map((row) => ["", ...row]))]

/** Ranges shown; a log of many terms would fill the screen. */
const shownRanges = 4

const rangesOf = (ranges: ReadonlyArray<EntryRange>): string => {
  if (ranges.length === 0) return "no entries"
  const shown = ranges
    .slice(-shownRanges)
    .map(({ term, firstIndex, lastIndex }) => `${firstIndex}..${lastIndex} of term ${term}`)
  return (ranges.length > shownRanges ? "… " : "") + shown.join(", ")
}

/** What a node would do with the directory. */
export const ofVerdict = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "Empty":
      return "empty; a node would begin a new store here"
    case "Sound":
      return "sound; a node would open it"
    case "TornTail":
      return `a node would cut off ${verdict.bytes} bytes at byte ${verdict.offset} of ${verdict.file}, a write that was never acknowledged, and open it`
    case "Damaged":
      return `damaged: ${verdict.file} at byte ${verdict.offset}: ${verdict.detail}. ${verdict.advice}`
    case "TooNew":
      return `${verdict.file} has format version ${verdict.found}; this program reads up to ${verdict.supported}. Use a newer one`
  }
}
