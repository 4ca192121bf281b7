/**
 * Whether a node has stopped itself for a reason that no fault explains: one of its own assertions, or
 * the machine. A disk that failed is such a fault.
 */
import type { NodeId } from "../../NodeId.ts"
import type { RaftErrorReason } from "../../RaftError.ts"
import type { RaftTracer } from "../../RaftTrace.ts"

/** Tells of a node that broke down, in a sentence. */
export const tracerOf =
  (onBreakdown: (what: string) => void) =>
  (nodeId: NodeId): RaftTracer => ({
    onStop: (reason) => {
      if (isOwnFault(reason)) onBreakdown(`${nodeId} stopped itself: ${reason.message}`)
    }
  })

const isOwnFault = ({ _tag }: RaftErrorReason): boolean =>
  _tag === "InvariantBroken" || _tag === "MachineFailure"
