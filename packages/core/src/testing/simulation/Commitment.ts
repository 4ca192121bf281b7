/**
 * What a leader calls committed: an entry that is "stored on a majority of the servers" (paper, section
 * 5.3), on their disks, and of its own term, because "only log entries from the leader's current term are
 * committed by counting replicas" (section 5.4.2).
 */
import * as RaftLog from "../../consensus/RaftLog.ts"
import * as LogEntry from "../../LogEntry.ts"
import type { LogIndex } from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { Term } from "../../Term.ts"

/** Tells of an entry that is committed too early, in a sentence. `disks` gives what every disk holds. */
export const tracerOf =
  (
    disks: () => ReadonlyArray<ReadonlyArray<LogEntry.EntryBlock>>,
    onTooEarly: (what: string) => void
  ): ((nodeId: NodeId) => RaftTracer) =>
  (nodeId) => ({
    onTurn: ({ before, after }) => {
      const { role, currentTerm, commitIndex, log } = after
      if (role._tag !== "Leader" || commitIndex === before.commitIndex) return
      const term = RaftLog.termAt(log, commitIndex)
      if (term !== currentTerm) {
        return onTooEarly(
          `${nodeId} leads term ${currentTerm} and commits index ${commitIndex} of term ${term} by counting`
        )
      }
      const all = disks()
      const holding = all.filter((blocks) => holds(blocks, commitIndex, term)).length
      if (holding * 2 > all.length) return
      onTooEarly(
        `${nodeId} commits index ${commitIndex} of term ${term}, which is on ${holding} of ${all.length} disks`
      )
    }
  })

const holds = (blocks: ReadonlyArray<LogEntry.EntryBlock>, index: LogIndex, term: Term): boolean => {
  const block = blocks.findLast(({ firstIndex }) => firstIndex <= index)
  return block !== undefined && LogEntry.lastIndex(block) >= index && LogEntry.termAt(block, index) === term
}
