/**
 * What a store should hold, worked out the slow and obvious way: a plain array of entries. The contract
 * suite compares every store with it, so it shares no code with the stores.
 */
import * as Bytes from "effect/Bytes"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { HardState, LogBase, RecoveredState, WriteBatch } from "../RaftStorage.ts"
import * as Term from "../Term.ts"

/** What a store holds, in a form in which two of them can be compared. */
export interface StorageModel {
  readonly hardState: HardState
  readonly base: LogBase
  readonly entries: ReadonlyArray<LogEntry.LogEntry>
  readonly committed: number
}

export const empty: StorageModel = {
  hardState: { currentTerm: Term.zero, votedFor: null },
  base: { index: LogIndex.zero, term: Term.zero },
  entries: [],
  committed: 0
}

/** The model after one more batch. */
export const after = (model: StorageModel, batch: WriteBatch): StorageModel => {
  const { truncateFrom = Infinity } = batch
  const base = batch.base === undefined || batch.base.index < model.base.index ? model.base : batch.base
  return {
    hardState: batch.hardState ?? model.hardState,
    base,
    entries: model.entries
      .filter((entry) => entry.index < truncateFrom && entry.index > base.index)
      .concat(batch.blocks.flatMap(LogEntry.entries)),
    committed: Math.max(model.committed, batch.committed ?? 0)
  }
}

/** What was read back, entry by entry. */
export const ofRecovered = (
  recovered: Pick<RecoveredState, "hardState" | "base" | "blocks" | "committed">
): StorageModel => ({
  hardState: recovered.hardState,
  base: recovered.base,
  entries: recovered.blocks.flatMap(LogEntry.entries),
  committed: recovered.committed
})

/** The first difference between two models, in words; `undefined` when there is none. */
export const difference = (expected: StorageModel, found: StorageModel): string | undefined => {
  const { hardState } = expected
  if (hardState.currentTerm !== found.hardState.currentTerm) {
    return `currentTerm is ${found.hardState.currentTerm}, not ${hardState.currentTerm}`
  }
  if (hardState.votedFor !== found.hardState.votedFor) {
    return `votedFor is ${found.hardState.votedFor}, not ${hardState.votedFor}`
  }
  const { base } = expected
  if (base.index !== found.base.index || base.term !== found.base.term) {
    return `the log begins after ${showBase(found.base)}, not ${showBase(base)}`
  }
  if (expected.committed !== found.committed) {
    return `all up to ${found.committed} is said to be committed, not up to ${expected.committed}`
  }
  if (expected.entries.length !== found.entries.length) {
    return `the log has ${found.entries.length} entries, not ${expected.entries.length}`
  }
  for (const [position, entry] of expected.entries.entries()) {
    const problem = entryDifference(entry, found.entries[position]!)
    if (problem !== undefined) return `entry ${entry.index}: ${problem}`
  }
  return undefined
}

const showBase = ({ index, term }: LogBase): string => `index ${index} of term ${term}`

const entryDifference = (expected: LogEntry.LogEntry, found: LogEntry.LogEntry): string | undefined => {
  if (found.index !== expected.index) return `stands at index ${found.index}`
  if (found.term !== expected.term) return `term is ${found.term}, not ${expected.term}`
  if (found.kind !== expected.kind) return `kind is ${found.kind}, not ${expected.kind}`
  if (found.timestampMillis !== expected.timestampMillis) return `timestamp is ${found.timestampMillis}`
  if (found.payload.byteLength !== expected.payload.byteLength)
    return `payload has ${found.payload.byteLength} bytes`
  return Bytes.Equivalence(found.payload, expected.payload) ? undefined : "payload differs"
}
