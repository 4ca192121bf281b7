/**
 * What a safety property looks like to those who check it while a cluster runs.
 *
 * An invariant is told of every start and every turn of every node, keeps what it needs to remember, and
 * throws a {@link Violation} the moment the property does not hold. One property a file, with the paper's
 * claim on top.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import type { LogEntry } from "../../LogEntry.ts"
import type { LogIndex } from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Turn } from "../../RaftTrace.ts"

/** A property of Raft did not hold. */
export class Violation extends Error {
  readonly property: string
  readonly nodeId: NodeId

  constructor(property: string, nodeId: NodeId, detail: string) {
    super(`${property} is violated at ${nodeId}: ${detail}`)
    this.name = "Violation"
    this.property = property
    this.nodeId = nodeId
  }
}

/** Watches one cluster from its beginning. */
export interface Invariant {
  readonly property: string
  readonly onStart?: (nodeId: NodeId, state: NodeState) => void
  readonly onTurn?: (nodeId: NodeId, turn: Turn) => void
  readonly onRestored?: (nodeId: NodeId, index: LogIndex) => void
  readonly onApplied?: (nodeId: NodeId, entry: LogEntry) => void
}
