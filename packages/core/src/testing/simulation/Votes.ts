/**
 * Who may lead: "a candidate wins an election if it receives votes from a majority of the servers in the
 * full cluster for the same term" (paper, section 5.2). The moment it takes office these votes are on the
 * disks of those who gave them, unless they have gone on to a later term since.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import * as Membership from "../../Membership.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { Term } from "../../Term.ts"
import type { Disks } from "./Disks.ts"

/** Tells of a leader that was not elected, in a sentence. */
export const tracerOf =
  (disks: Disks, onUnelected: (what: string) => void) =>
  (nodeId: NodeId): RaftTracer => {
    const expectElected = ({ currentTerm, membership }: NodeState): void => {
      for (const voters of Membership.votingSets(membership)) {
        const votes = voters.filter((voter) => mayHaveVoted(disks, voter, { currentTerm, candidate: nodeId }))
        if (votes.length * 2 <= voters.length) {
          const count = `${votes.length} of ${voters.length} votes`
          return onUnelected(`${nodeId} leads term ${currentTerm} with ${count}`)
        }
      }
    }
    return {
      onTurn: ({ before, after }) => {
        if (after.role._tag === "Leader" && before.role._tag !== "Leader") expectElected(after)
      }
    }
  }

const mayHaveVoted = (
  disks: Disks,
  voter: NodeId,
  election: { readonly currentTerm: Term; readonly candidate: NodeId }
): boolean => {
  const { currentTerm, votedFor } = disks.hardState(voter)
  return (
    currentTerm > election.currentTerm ||
    (currentTerm === election.currentTerm && votedFor === election.candidate)
  )
}
