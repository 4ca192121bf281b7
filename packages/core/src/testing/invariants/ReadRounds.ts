/**
 * A round by which a leader learns that it still leads is answered after it began (paper, section 8; thesis,
 * section 6.4): no peer has answered one that the leader has not begun in this term. Were it otherwise, reads
 * would be answered that nobody has confirmed, which clients notice only if they are looking just then.
 */
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Read Rounds"
  return {
    property,
    onTurn: (nodeId, { after: { role }, before }) => {
      if (role._tag !== "Leader" || role === before.role) return
      for (const peer of role.progress.peers) {
        const { ackedRound } = role.progress.get(peer)!
        if (ackedRound <= role.round) continue
        throw new Violation(property, nodeId, `${peer} has answered round ${ackedRound} of ${role.round}`)
      }
    }
  }
}
