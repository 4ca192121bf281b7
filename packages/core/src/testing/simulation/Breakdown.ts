/**
 * Who has stopped, and whether for a reason that a fault explains. A disk that failed is such a reason, and
 * a shutdown; an assertion that did not hold is none, nor is a machine that threw.
 */
import type { NodeId } from "../../NodeId.ts"
import type { RaftErrorReason } from "../../RaftError.ts"
import type { RaftTracer } from "../../RaftTrace.ts"

export interface Breakdowns {
  readonly tracerOf: (nodeId: NodeId) => RaftTracer
  /** Whether a node no longer runs, whoever stopped it. */
  readonly hasStopped: (nodeId: NodeId) => boolean
}

/** `onBreakdown` is told of a node that broke down, in a sentence. */
export const make = (onBreakdown: (what: string) => void): Breakdowns => {
  const stopped = new Set<NodeId>()
  return {
    hasStopped: (nodeId) => stopped.has(nodeId),
    tracerOf: (nodeId) => ({
      onStart: () => {
        stopped.delete(nodeId)
      },
      onStop: (reason) => {
        stopped.add(nodeId)
        if (isBreakdown(reason)) onBreakdown(`${nodeId} stopped itself: ${reason.message}`)
      }
    })
  }
}

const isBreakdown = ({ _tag }: RaftErrorReason): boolean =>
  _tag === "InvariantBroken" || _tag === "MachineFailure"
