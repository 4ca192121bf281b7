/**
 * All safety properties together, as one tracer for each node of a cluster.
 *
 * A violation is kept, and thrown into the node that showed it, which stops there: what it would do next
 * is of no interest.
 */
import type { NodeId } from "../NodeId.ts"
import type { RaftTracer } from "../RaftTrace.ts"
import * as ElectionSafety from "./invariants/ElectionSafety.ts"
import type { Invariant, Violation } from "./invariants/Invariant.ts"
import * as LeaderAppendOnly from "./invariants/LeaderAppendOnly.ts"
import * as LeaderCompleteness from "./invariants/LeaderCompleteness.ts"
import * as LeaseSafety from "./invariants/LeaseSafety.ts"
import * as LogMatching from "./invariants/LogMatching.ts"
import * as MembershipSafety from "./invariants/MembershipSafety.ts"
import * as Monotonicity from "./invariants/Monotonicity.ts"
import * as Permanence from "./invariants/Permanence.ts"
import * as ReadRounds from "./invariants/ReadRounds.ts"
import * as SnapshotMembership from "./invariants/SnapshotMembership.ts"
import * as StateMachineSafety from "./invariants/StateMachineSafety.ts"
import * as TransferBound from "./invariants/TransferBound.ts"

export interface Invariants {
  readonly tracerOf: (nodeId: NodeId) => RaftTracer
  /** What was violated so far, oldest first. */
  readonly violations: () => ReadonlyArray<Violation>
}

/** Watches a new cluster. `onViolation` is told at once. */
export const make = (onViolation: (violation: Violation) => void = () => {}): Invariants => {
  const all: ReadonlyArray<Invariant> = [
    ElectionSafety.make(),
    LeaderAppendOnly.make(),
    LogMatching.make(),
    LeaderCompleteness.make(),
    StateMachineSafety.make(),
    MembershipSafety.make(),
    SnapshotMembership.make(),
    ReadRounds.make(),
    LeaseSafety.make(),
    TransferBound.make(),
    Monotonicity.make(),
    Permanence.make()
  ]
  const violations: Array<Violation> = []

  /** Has all look who want to, one after the other, until one is violated. */
  const check =
    <Seen>(looks: ReadonlyArray<Look<Seen> | undefined>) =>
    (nodeId: NodeId) => {
      const present = looks.filter((look) => look !== undefined)
      return (seen: Seen): void => {
        try {
          for (const look of present) look(nodeId, seen)
        } catch (violation) {
          violations.push(violation as Violation)
          onViolation(violation as Violation)
          throw violation
        }
      }
    }

  const onStart = check(all.map((invariant) => invariant.onStart))
  const onTurn = check(all.map((invariant) => invariant.onTurn))
  const onRestored = check(all.map((invariant) => invariant.onRestored))
  const onApplied = check(all.map((invariant) => invariant.onApplied))
  return {
    violations: () => violations,
    tracerOf: (nodeId) => ({
      onStart: onStart(nodeId),
      onTurn: onTurn(nodeId),
      onRestored: onRestored(nodeId),
      onApplied: onApplied(nodeId)
    })
  }
}

type Look<Seen> = (nodeId: NodeId, seen: Seen) => void
