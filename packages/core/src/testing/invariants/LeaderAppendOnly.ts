/**
 * Leader Append-Only: "a leader never overwrites or deletes entries in its log; it only appends new
 * entries" (paper, figure 3).
 */
import * as RaftLog from "../../consensus/RaftLog.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Leader Append-Only"
  return {
    property,
    onTurn: (nodeId, { before, after }) => {
      const stays =
        before.role._tag === "Leader" &&
        after.role._tag === "Leader" &&
        before.currentTerm === after.currentTerm
      if (!stays || before.log === after.log) return
      if (RaftLog.termAt(after.log, before.log.lastIndex) !== before.log.lastTerm) {
        throw new Violation(property, nodeId, `its entry at ${before.log.lastIndex} is gone`)
      }
    }
  }
}
