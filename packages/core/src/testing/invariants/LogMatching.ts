/**
 * Log Matching: "if two logs contain an entry with the same index and term, then the logs are identical in
 * all entries up through the given index" (paper, figure 3 and section 5.3).
 *
 * Checked by its two halves, as the paper proves it: two entries with the same index and term hold the same
 * command, and stand after entries of the same term. Peers in one process hold the very same blocks of memory;
 * of one that was seen only what stands before it is looked at again.
 */
import * as RaftLog from "../../consensus/RaftLog.ts"
import type { NodeState } from "../../consensus/NodeState.ts"
import * as LogEntry from "../../LogEntry.ts"
import * as LogIndex from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { Term } from "../../Term.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"
import { sameEntry } from "./sameEntry.ts"

/** An entry, where it was seen first. */
interface Seen {
  readonly block: LogEntry.EntryBlock
  readonly term: Term
  readonly previousTerm: Term | undefined
  /** One of another term, seen before at the same index. */
  readonly other: Seen | undefined
}

export const make = (): Invariant => {
  const property = "Log Matching"
  /** By their index; at each seldom more than one, and those of different terms. */
  const seen: Array<Seen | undefined> = []

  const find = (index: LogIndex.LogIndex, term: Term): Seen | undefined => {
    let known = seen[index]
    while (known !== undefined && known.term !== term) known = known.other
    return known
  }

  const see = (nodeId: NodeId, state: NodeState, block: LogEntry.EntryBlock) => {
    const first = find(block.firstIndex, block.firstTerm)
    const termBefore = RaftLog.termAt(state.log, LogIndex.plus(block.firstIndex, -1))
    // Whose first entry was seen was seen whole.
    if (first?.block === block && first.previousTerm === termBefore) return
    const last = LogEntry.lastIndex(block)
    for (let index = block.firstIndex; index <= last; index = LogIndex.plus(index, 1)) {
      const term = LogEntry.termAt(block, index)
      const previousTerm = RaftLog.termAt(state.log, LogIndex.plus(index, -1))
      const known = find(index, term)
      if (known === undefined) seen[index] = { block, term, previousTerm, other: seen[index] }
      else if (known.previousTerm !== previousTerm || !holdSame(known.block, block, index)) {
        throw new Violation(property, nodeId, `two entries at index ${index} of term ${term} differ`)
      }
    }
  }

  return {
    property,
    onStart: (nodeId, state) => {
      for (const block of state.log.chunks.slice(0, state.log.chunkCount)) see(nodeId, state, block)
    },
    onTurn: (nodeId, { after, actions }) => {
      for (const action of actions) {
        if (action._tag !== "Persist") continue
        // A later event of the same turn may have replaced it; then only what is left is looked at.
        for (const block of action.blocks) {
          if (RaftLog.termAt(after.log, LogEntry.lastIndex(block)) === block.lastTerm)
            see(nodeId, after, block)
        }
      }
    }
  }
}

const holdSame = (one: LogEntry.EntryBlock, other: LogEntry.EntryBlock, index: LogIndex.LogIndex): boolean =>
  one === other || sameEntry(LogEntry.entryAt(one, index), LogEntry.entryAt(other, index))
