/**
 * Election Safety: "at most one leader can be elected in a given term" (paper, figure 3 and section 5.2).
 */
import type { NodeId } from "../../NodeId.ts"
import type { Term } from "../../Term.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Election Safety"
  const leaders = new Map<Term, NodeId>()
  return {
    property,
    onTurn: (nodeId, { after }) => {
      if (after.role._tag !== "Leader") return
      const known = leaders.get(after.currentTerm)
      if (known === undefined) leaders.set(after.currentTerm, nodeId)
      else if (known !== nodeId) {
        throw new Violation(property, nodeId, `term ${after.currentTerm} already has the leader ${known}`)
      }
    }
  }
}
