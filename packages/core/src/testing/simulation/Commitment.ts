/**
 * What a leader calls committed: an entry that is "stored on a majority of the servers" (paper, section
 * 5.3), on their disks, and of its own term, because "only log entries from the leader's current term are
 * committed by counting replicas" (section 5.4.2).
 */
import * as RaftLog from "../../consensus/RaftLog.ts"
import * as Membership from "../../Membership.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { Disks } from "./Disks.ts"

/** Tells of an entry that is committed too early, in a sentence. */
export const tracerOf =
  (disks: Disks, onTooEarly: (what: string) => void) =>
  (nodeId: NodeId): RaftTracer => ({
    onTurn: ({ before, after }) => {
      const { role, currentTerm, commitIndex, log } = after
      if (role._tag !== "Leader" || commitIndex === before.commitIndex) return
      const entry = { index: commitIndex, term: RaftLog.termAt(log, commitIndex) }
      const tell = (how: string) =>
        onTooEarly(
          `${nodeId} leads term ${currentTerm} and commits index ${commitIndex} of term ${entry.term}${how}`
        )
      if (entry.term !== currentTerm) return tell(" by counting")
      for (const voters of Membership.votingSets(after.membership)) {
        let holding = 0
        for (const voter of voters) if (disks.holds(voter, entry)) holding += 1
        if (holding * 2 <= voters.length)
          tell(`, which is on ${holding} of the disks of its ${voters.length} voters`)
      }
    }
  })
