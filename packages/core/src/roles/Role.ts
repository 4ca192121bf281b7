/**
 * What the fibers of every role share: how they see the node, and when a role's Scope ends.
 *
 * Role fibers wait, look at the published state, ask a pure function what to say, say it, and post what
 * comes back. They decide nothing and assign nothing.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Event } from "../consensus/Event.ts"
import type { NodeState } from "../consensus/NodeState.ts"
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
 * Names the Scope that a state belongs in: while it stays the same, so do the role's fibers. A follower
 * that lost its leader's connection gets a new one, because its timer must ring earlier; a candidate gets
 * one when its own vote is durable, and not before.
 */
export const scopeKey = (state: NodeState): string => {
  const { role } = state
  const office = `${role._tag}/${state.currentTerm}`
  switch (role._tag) {
    case "Follower":
      return `${office}/${role.leader ?? ""}/${role.heardMillis === Number.NEGATIVE_INFINITY}`
    case "PreCandidate":
      return `${office}/${role.attempt}`
    case "Candidate":
      return `${office}/${role.votes.has(state.self)}`
    case "Leader":
      return office
  }
}
