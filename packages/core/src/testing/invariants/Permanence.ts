/**
 * Committed entries stay: "Raft guarantees that committed entries are durable" (paper, section 5.3). Conflicts
 * are resolved by deleting entries, and a snapshot may replace a whole log; neither ever takes away an entry
 * that was committed, from any node that has it, unless a snapshot stands for it. And what a snapshot stands
 * for is committed (section 7), which a node knows from its start on.
 *
 * By Log Matching it is enough to look at the last entry of a log that was committed.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import * as RaftLog from "../../consensus/RaftLog.ts"
import * as LogIndex from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Term } from "../../Term.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Permanence"
  /** The terms of the entries that leaders have committed, by their index. */
  const committed: Array<Term | undefined> = []
  let last = LogIndex.zero

  const learn = (log: RaftLog.RaftLog, commitIndex: LogIndex.LogIndex) => {
    const first = LogIndex.plus(LogIndex.max(last, log.base.index), 1)
    for (let index = first; index <= commitIndex; index = LogIndex.plus(index, 1)) {
      committed[index] = RaftLog.termAt(log, index)!
    }
    last = LogIndex.max(last, commitIndex)
  }

  const expectCommitted = (nodeId: NodeId, { commitIndex, log }: NodeState) => {
    if (commitIndex < log.base.index) {
      const detail = `its log begins after index ${log.base.index}, and it knows of commits up to ${commitIndex}`
      throw new Violation(property, nodeId, detail)
    }
  }

  return {
    property,
    onStart: expectCommitted,
    onTurn: (nodeId, { after, before }) => {
      if (before.log !== after.log) {
        expectCommitted(nodeId, after)
        const index = LogIndex.min(last, before.log.lastIndex)
        const term = committed[index]
        const hadIt = term !== undefined && RaftLog.termAt(before.log, index) === term
        if (hadIt && index > after.log.base.index && RaftLog.termAt(after.log, index) !== term) {
          throw new Violation(
            property,
            nodeId,
            `it has dropped the entry of term ${term} at index ${index}, which is committed`
          )
        }
      }
      if (after.role._tag === "Leader" && after.commitIndex > last) learn(after.log, after.commitIndex)
    }
  }
}
