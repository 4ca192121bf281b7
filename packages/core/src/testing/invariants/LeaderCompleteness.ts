/**
 * Leader Completeness: "if a log entry is committed in a given term, then that entry will be present in
 * the logs of the leaders for all higher-numbered terms" (paper, figure 3 and section 5.4).
 *
 * By Log Matching it is enough to look at the last entry that was committed in an earlier term.
 */
import * as RaftLog from "../../consensus/RaftLog.ts"
import * as LogIndex from "../../LogIndex.ts"
import type { Term } from "../../Term.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Leader Completeness"
  // By the term of the leader that committed: how far it got, and the term of the entry there.
  const committed = new Map<Term, { readonly index: LogIndex.LogIndex; readonly term: Term }>()
  return {
    property,
    onTurn: (nodeId, { before, after }) => {
      if (after.role._tag !== "Leader") return
      if (after.commitIndex > (committed.get(after.currentTerm)?.index ?? LogIndex.zero)) {
        const term = RaftLog.termAt(after.log, after.commitIndex)!
        committed.set(after.currentTerm, { index: after.commitIndex, term })
      }
      if (before.role._tag === "Leader" && before.currentTerm === after.currentTerm) return
      for (const [inTerm, last] of committed) {
        // What lies before the base is in the leader's snapshot.
        if (inTerm >= after.currentTerm || last.index < after.log.base.index) continue
        if (RaftLog.termAt(after.log, last.index) !== last.term) {
          throw new Violation(
            property,
            nodeId,
            `it leads term ${after.currentTerm} without the entry at ${last.index} that was committed in term ${inTerm}`
          )
        }
      }
    }
  }
}
