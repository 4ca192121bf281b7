/**
 * What the fibers of every role share: how they see the node, and when a role's Scope ends.
 *
 * Role fibers wait, look at the published state, ask a pure function what to say, say it, and post what
 * comes back. They decide nothing and assign nothing.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Event } from "../consensus/Event.ts"
import type { Follower, NodeState } from "../consensus/NodeState.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { SnapshotReader, StorageError } from "../RaftStorage.ts"

/** The node, as its role fibers see it. */
export interface RoleContext {
  /** The state as of the last turn. */
  readonly state: () => NodeState
  /** The monotonic clock, in milliseconds. */
  readonly nowMillis: () => number
  readonly send: (to: NodeId, message: RaftMessage) => void
  readonly post: (event: Event) => void
  /** The newest snapshot on disk, to be sent to a peer. */
  readonly openSnapshot: Effect.Effect<SnapshotReader | undefined, StorageError, Scope.Scope>
  /** The disk has failed: stop the node. */
  readonly onStorageFailed: (error: StorageError) => Effect.Effect<void>
}

/**
 * Whether a later state belongs in the Scope that was opened for an earlier one: while it does, the role's
 * fibers go on. A follower that lost its leader's connection, or found the peers of its first election, gets a
 * new Scope, because its timer must ring earlier; a candidate gets one when its own vote is durable, and not before.
 */
export const sharesScope = (earlier: NodeState, later: NodeState): boolean => {
  if (earlier.currentTerm !== later.currentTerm) return false
  const [role, next] = [earlier.role, later.role]
  switch (role._tag) {
    case "Follower":
      return (
        next._tag === "Follower" &&
        role.leader === next.leader &&
        hasLost(role) === hasLost(next) &&
        (role.leader !== null || next.electionDeadlineMillis >= role.electionDeadlineMillis)
      )
    case "PreCandidate":
      return next._tag === "PreCandidate" && role.attempt === next.attempt
    case "Candidate":
      return next._tag === "Candidate" && role.votes.has(earlier.self) === next.votes.has(later.self)
    case "Leader":
      return next._tag === "Leader"
  }
}

const hasLost = (role: Follower): boolean => role.heardMillis === Number.NEGATIVE_INFINITY
