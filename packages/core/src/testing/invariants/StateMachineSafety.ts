/**
 * State Machine Safety: "if a server has applied a log entry at a given index to its state machine, no
 * other server will ever apply a different log entry for the same index" (paper, figure 3, section 5.4.3).
 *
 * Entries are applied in order, each once in the life of a process.
 */
import type { LogEntry } from "../../LogEntry.ts"
import type { NodeId } from "../../NodeId.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"
import { sameEntry } from "./sameEntry.ts"

export const make = (): Invariant => {
  const property = "State Machine Safety"
  /** What was applied first at each index. */
  const applied: Array<LogEntry | undefined> = []
  const lastApplied = new Map<NodeId, number>()
  return {
    property,
    onStart: (nodeId) => {
      lastApplied.set(nodeId, 0)
    },
    onRestored: (nodeId, index) => {
      const last = lastApplied.get(nodeId) ?? 0
      if (index < last)
        throw new Violation(property, nodeId, `it was restored to index ${index} after ${last}`)
      lastApplied.set(nodeId, index)
    },
    onApplied: (nodeId, entry) => {
      const last = lastApplied.get(nodeId) ?? 0
      if (entry.index !== last + 1) {
        throw new Violation(property, nodeId, `it applied index ${entry.index} after ${last}`)
      }
      lastApplied.set(nodeId, entry.index)
      const known = applied[entry.index]
      if (known === undefined) applied[entry.index] = entry
      else if (!sameEntry(known, entry)) {
        throw new Violation(
          property,
          nodeId,
          `it applied an entry of term ${entry.term} at index ${entry.index}, where another applied one of term ${known.term}`
        )
      }
    }
  }
}
