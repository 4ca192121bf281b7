/**
 * What keeps one follower's log like the leader's.
 *
 * After a turn that may have given it work the actor calls it; then it asks the rules what to send until
 * they say "nothing". How far it has sent is its own affair (`Cursor`); what the follower has is the rules'
 * (`Progress`). It waits for nothing but the next turn, so it needs no fiber. Where the follower needs what
 * the log no longer holds, the peer's `SnapshotSender`, which is one, sends that.
 */
import * as Replication from "../consensus/Replication.ts"
import type { NodeId } from "../NodeId.ts"
import type { RoleContext } from "./Role.ts"

export interface Replicator {
  /** Sends the peer all that it is due by now. */
  readonly send: () => void
  /** Whether it needs what the log no longer holds. */
  readonly needsSnapshot: () => boolean
}

export const make = (node: RoleContext, peer: NodeId): Replicator => {
  let cursor = Replication.initialCursor
  return {
    send: () => {
      const state = node.state()
      let next = Replication.nextAppend(state, peer, cursor)
      while (next !== undefined) {
        cursor = next.cursor
        node.send(peer, next.message)
        next = Replication.nextAppend(state, peer, cursor)
      }
    },
    needsSnapshot: () => Replication.needsSnapshot(node.state(), peer, cursor)
  }
}
