/**
 * What the disks of a simulated cluster hold at this moment: what would be left if the power failed. The
 * checkers hold against it what nodes say.
 */
import * as LogEntry from "../../LogEntry.ts"
import type { LogIndex } from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { HardState } from "../../RaftStorage.ts"
import type { Term } from "../../Term.ts"
import type { Cluster } from "../TestCluster.ts"

export interface Disks {
  readonly nodeIds: ReadonlyArray<NodeId>
  readonly hardState: (nodeId: NodeId) => HardState
  /** Whether an entry is there, or a snapshot that stands for it. */
  readonly holds: (
    nodeId: NodeId,
    entry: { readonly index: LogIndex; readonly term: Term | undefined }
  ) => boolean
}

export const of = (
  cluster: () => Pick<Cluster<never, unknown, unknown>, "nodeIds" | "disk" | "identityOf">
): Disks => {
  const peek = (nodeId: NodeId) => cluster().disk.peek(cluster().identityOf(nodeId))
  return {
    get nodeIds() {
      return cluster().nodeIds
    },
    hardState: (nodeId) => peek(nodeId).hardState,
    holds: (nodeId, { index, term }) => {
      const { base, blocks } = peek(nodeId)
      if (index <= base.index) return true
      // Mostly it is in the last one.
      let at = blocks.length - 1
      while (at >= 0 && blocks[at]!.firstIndex > index) at -= 1
      const block = blocks[at]
      return (
        block !== undefined && LogEntry.lastIndex(block) >= index && LogEntry.termAt(block, index) === term
      )
    }
  }
}
