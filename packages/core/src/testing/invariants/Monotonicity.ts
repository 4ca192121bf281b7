/**
 * What never goes back: a node's term, also over a restart (paper, section 5.1: "current term numbers
 * increase monotonically"), its one vote in a term (section 5.2), and its commit index while it runs.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import type { NodeId } from "../../NodeId.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Monotonicity"
  // What a node has told others, by the messages it was allowed to send.
  const told = new Map<NodeId, Pick<NodeState, "currentTerm" | "votedFor">>()

  const checkVote = (nodeId: NodeId, state: NodeState) => {
    const last = told.get(nodeId)
    if (last === undefined) return
    if (state.currentTerm < last.currentTerm) {
      throw new Violation(property, nodeId, `its term fell from ${last.currentTerm} to ${state.currentTerm}`)
    }
    const sameTerm = state.currentTerm === last.currentTerm
    if (sameTerm && last.votedFor !== null && state.votedFor !== last.votedFor) {
      throw new Violation(
        property,
        nodeId,
        `in term ${state.currentTerm} it voted for ${last.votedFor}, then for ${state.votedFor}`
      )
    }
  }

  return {
    property,
    onStart: checkVote,
    onTurn: (nodeId, { before, after }) => {
      if (after.commitIndex < before.commitIndex) {
        throw new Violation(
          property,
          nodeId,
          `its commit index fell from ${before.commitIndex} to ${after.commitIndex}`
        )
      }
      if (after.currentTerm < before.currentTerm) {
        throw new Violation(
          property,
          nodeId,
          `its term fell from ${before.currentTerm} to ${after.currentTerm}`
        )
      }
      // Until it is durable nobody was told, and a crash may take it back.
      const isDurable = after.durability.hardState <= after.durability.persisted
      if (!isDurable) return
      const known = told.get(nodeId)
      if (known?.currentTerm === after.currentTerm && known.votedFor === after.votedFor) return
      checkVote(nodeId, after)
      told.set(nodeId, { currentTerm: after.currentTerm, votedFor: after.votedFor })
    }
  }
}
