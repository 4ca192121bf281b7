/**
 * What keeps one follower's log like the leader's.
 *
 * After a turn that may have given it work the actor calls it; then it asks the rules what to send until
 * they say "nothing". How far it has sent is its own affair (`Cursor`); what the follower has is the rules'
 * (`Progress`). It waits for nothing but the next turn, so it needs no fiber. Where the follower needs what
 * the log no longer holds, it wakes the peer's `SnapshotSender`, which is one.
 */
import * as Replication from "../consensus/Replication.ts"
import type { NodeId } from "../NodeId.ts"
import type { RoleContext } from "./Role.ts"

/** Sends `peer` all that it is due by now. */
export type Replicator = () => void

export const make = (node: RoleContext, peer: NodeId, wakeSnapshotSender: () => void): Replicator => {
  let cursor = Replication.initialCursor
  return () => {
    const state = node.state()
    let next = Replication.nextAppend(state, peer, cursor)
    while (next !== undefined) {
      cursor = next.cursor
      node.send(peer, next.message)
      next = Replication.nextAppend(state, peer, cursor)
    }
    if (Replication.needsSnapshot(state, peer, cursor)) wakeSnapshotSender()
  }
}
