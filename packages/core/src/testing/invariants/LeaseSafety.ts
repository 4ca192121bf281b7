/**
 * A leader that reads by its lease sees everything that was committed before, by whichever leader (thesis,
 * section 6.4.1): its lease must end before another can be elected.
 */
import * as LogIndex from "../../LogIndex.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Lease Safety"
  let committed = LogIndex.zero
  return {
    property,
    onTurn: (nodeId, { after, actions }) => {
      // A read may come before what the same turn commits: it is held against what was committed before.
      for (const action of actions) {
        if (action._tag !== "ReadsConfirmed" || action.byLease !== true) continue
        if (action.readIndex >= committed) continue
        const detail = `it reads at ${action.readIndex} by its lease of term ${after.currentTerm}, and ${committed} is committed`
        throw new Violation(property, nodeId, detail)
      }
      if (after.role._tag === "Leader") committed = LogIndex.max(committed, after.commitIndex)
    }
  }
}
