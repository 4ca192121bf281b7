/**
 * The fiber that keeps one follower's log like the leader's.
 *
 * It sleeps at its gate. The actor opens the gate after a turn that may have given it work; then it asks
 * the rules what to send until they say "nothing", and sleeps again. How far it has sent is its own
 * affair (`Cursor`); what the follower has is the rules' (`Progress`). Where the follower needs what the
 * log no longer holds, it wakes the peer's `SnapshotSender`.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Replication from "../consensus/Replication.ts"
import type { NodeId } from "../NodeId.ts"
import type { RoleContext } from "./Role.ts"

export const replicate = (
  node: RoleContext,
  peer: NodeId,
  gate: Latch.Latch,
  wakeSnapshotSender: () => void
): Effect.Effect<never> => {
  let cursor = Replication.initialCursor
  const sendAll = () => {
    gate.closeUnsafe()
    let next = Replication.nextAppend(node.state(), peer, cursor)
    while (next !== undefined) {
      cursor = next.cursor
      node.send(peer, next.message)
      next = Replication.nextAppend(node.state(), peer, cursor)
    }
    if (Replication.needsSnapshot(node.state(), peer, cursor)) wakeSnapshotSender()
  }
  // It always waits at the gate in between, so it needs no turn of the event loop besides.
  return Effect.forever(Effect.map(Latch.await(gate), sendAll), { disableYield: true })
}
