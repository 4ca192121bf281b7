/**
 * A look into a store's directory that changes nothing: for an operator who wants to know what a node
 * has, also when it is damaged, and also while a node has it open. What a running node is writing at that
 * moment may look like a write that was cut short.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { join } from "node:path"
import * as RaftStorage from "@effect-raft/core/RaftStorage"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as InspectFiles from "./InspectFiles.ts"
import type { InspectionReport, SnapshotReport, Verdict } from "./InspectionReport.ts"
import { LogFileSystem, ownerFileName } from "./LogFileSystem.ts"
import type { ReadableDirectory } from "./LogFileSystem.ts"
import * as Recovery from "./Recovery.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SegmentLayout from "./SegmentLayout.ts"
import * as SnapshotFormat from "./SnapshotFormat.ts"
import * as StoreDirectory from "./StoreDirectory.ts"

const maxAttempts = 5

/** Fails with `IoFailed` where it cannot read, and with `NotAStore` where there is something else. */
export const inspect = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<InspectionReport, StorageError, LogFileSystem> {
  const directory = yield* LogFileSystem.use((files) => files.lookInto(path))
  for (let attempt = 1; ; attempt++) {
    const names = (yield* directory.list).toSorted()
    const report = yield* Effect.result(lookAtAll(directory, names))
    // A running node makes and removes files: what was seen in the middle of that does not fit together.
    const hasChanged = names.join("/") !== (yield* directory.list).toSorted().join("/")
    // It also goes on in a file that has its name already: damage counts when it is seen a second time.
    const isNew = attempt === 1 && Result.isSuccess(report) && report.success.verdict._tag === "Damaged"
    if ((!hasChanged && !isNew) || attempt === maxAttempts) return yield* Effect.fromResult(report)
  }
})

const lookAtAll = Effect.fnUntraced(function* (directory: ReadableDirectory, names: ReadonlyArray<string>) {
  const reason =
    StoreDirectory.strangersIn(directory.path, names) ??
    StoreDirectory.unfinishedRestoreIn(directory.path, names)
  if (reason !== undefined) return yield* new RaftStorage.StorageError({ reason })
  const numbers = SegmentHeader.numbersOf(names)
  const segments = yield* Effect.forEach(numbers, (number) => InspectFiles.segment(directory, number))
  const snapshots = yield* Effect.forEach(names.filter(SnapshotFormat.isSnapshotName), (name) =>
    InspectFiles.snapshot(directory, name)
  )
  const parts = yield* Effect.forEach(names.filter(SnapshotFormat.isPartName), (name) =>
    InspectFiles.part(directory, name)
  )
  const identity = [...segments, ...snapshots].find((look) => look.identity !== null)?.identity ?? null
  const log = yield* readLog(directory, identity, numbers, segments[0]?.problem)
  const report: InspectionReport = {
    directory: directory.path,
    lastOpenedBy: yield* ownerOf(directory, names),
    identity,
    log: log.found === undefined ? null : summaryOf(log.found.state),
    segments: segments.map((look) => look.report),
    snapshots: snapshots.map((look) => look.report),
    parts,
    verdict: judge(directory, { names, log, newest: snapshots.at(-1) })
  }
  return report
})

const ownerOf = (directory: ReadableDirectory, names: ReadonlyArray<string>) =>
  names.includes(ownerFileName)
    ? Effect.map(directory.read(ownerFileName), (bytes) => new TextDecoder().decode(bytes).trim())
    : Effect.succeed(null)

interface LogLook {
  readonly found: Recovery.RecoveredLog | undefined
  readonly problem: InspectFiles.Problem | undefined
}

/** Reads the log as a node would that opens it. */
const readLog = (
  directory: ReadableDirectory,
  identity: StorageIdentity | null,
  numbers: ReadonlyArray<number>,
  problemOfFirst: InspectFiles.Problem | undefined
): Effect.Effect<LogLook, StorageError> =>
  identity === null || numbers.length === 0
    ? Effect.succeed({ found: undefined, problem: problemOfFirst })
    : InspectFiles.orProblem(Recovery.recover(directory, identity, numbers))

const summaryOf = (state: RaftStorage.StoredState): NonNullable<InspectionReport["log"]> => ({
  currentTerm: state.hardState.currentTerm,
  votedFor: state.hardState.votedFor,
  base: state.base,
  lastIndex: RaftStorage.lastIndexOf(state),
  entries: InspectFiles.rangesOf(state.blocks)
})

interface Findings {
  readonly names: ReadonlyArray<string>
  readonly log: LogLook
  readonly newest: InspectFiles.Look<SnapshotReport> | undefined
}

/** In the order in which a node would come upon it. */
const judge = (directory: ReadableDirectory, { log, names, newest }: Findings): Verdict => {
  if (newest?.problem !== undefined) return refusal(newest.problem)
  if (log.problem !== undefined) return refusal(log.problem)
  if (log.found === undefined) {
    const lost = StoreDirectory.lostLogIn(directory.path, names)
    return lost === undefined ? { _tag: "Empty" } : refusal(lost)
  }
  const { ahead, position, segment, state, tornBytes } = log.found
  const detail = RaftStorage.uncovered({ base: state.base, blocks: [] }, newest?.report.meta ?? undefined)
  if (detail !== undefined) return damaged(directory.path, 0, detail)
  const fileOf = (number: number) => join(directory.path, SegmentHeader.nameOf(number))
  if (ahead !== undefined && ahead.tornBytes > 0) {
    const offset = SegmentHeader.headerBytes
    return { _tag: "TornTail", file: fileOf(ahead.number), offset, bytes: ahead.tornBytes }
  }
  const offset = SegmentLayout.offsetOf(segment, position)
  return tornBytes === 0
    ? { _tag: "Sound" }
    : { _tag: "TornTail", file: fileOf(segment.number), offset, bytes: tornBytes }
}

const refusal = (problem: InspectFiles.Problem): Verdict => {
  const file = problem.location
  if (problem._tag === "UnsupportedFormat")
    return { _tag: "TooNew", file, found: problem.found, supported: problem.supported }
  return problem._tag === "DamagedStore"
    ? damaged(file, problem.offset, problem.detail)
    : damaged(file, 0, problem.message)
}

const damaged = (file: string, offset: number, detail: string): Verdict => ({
  _tag: "Damaged",
  file,
  offset,
  detail,
  advice: RaftStorage.damageAdvice
})
