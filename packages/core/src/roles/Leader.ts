/**
 * The fibers of a leader: the heartbeat, and one replicator for each peer (paper, sections 5.2 and 5.3).
 */
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../NodeId.ts"
import * as Replicator from "./Replicator.ts"
import type { RoleContext } from "./Role.ts"
import * as SnapshotSender from "./SnapshotSender.ts"

/** Says every heartbeat interval that peers are due a message, and that the quorum is to be checked. */
export const heartbeat = (node: RoleContext): Effect.Effect<never> =>
  Effect.sync(() => node.post({ _tag: "HeartbeatDue" })).pipe(
    Effect.delay(node.state().config.heartbeatIntervalMillis),
    Effect.forever
  )

/** The replicators of one term of office. */
export interface Replicators {
  /** Starts and stops replicators so that there is one for each of `peers`. */
  readonly reconcile: (peers: ReadonlyArray<NodeId>) => Effect.Effect<void>
  /** There may be something to send. */
  readonly wake: () => void
}

export const makeReplicators = (node: RoleContext): Effect.Effect<Replicators, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fibers = yield* FiberMap.make<NodeId>()
    const peersByName = new Map<NodeId, Peer>()

    const start = (peer: NodeId) => {
      const snapshots = SnapshotSender.makeGates()
      const gate = Latch.makeUnsafe(true)
      peersByName.set(peer, { gate, snapshots })
      const replicate = Replicator.replicate(node, peer, gate, () => snapshots.needed.openUnsafe())
      const sendSnapshots = SnapshotSender.sendWhenNeeded(node, peer, snapshots).pipe(
        Effect.catch((error) => node.onStorageFailed(error))
      )
      const both = Effect.all([replicate, sendSnapshots], { concurrency: "unbounded", discard: true })
      return FiberMap.run(fibers, peer, both, { startImmediately: true })
    }

    const stop = (peer: NodeId) => {
      peersByName.delete(peer)
      return FiberMap.remove(fibers, peer)
    }

    return {
      reconcile: (peers) =>
        Effect.gen(function* () {
          for (const peer of peersByName.keys()) if (!peers.includes(peer)) yield* stop(peer)
          for (const peer of peers) if (!peersByName.has(peer)) yield* start(peer)
        }),
      wake: () => {
        for (const { gate, snapshots } of peersByName.values()) {
          gate.openUnsafe()
          snapshots.moved.openUnsafe()
        }
      }
    }
  })

/** The gates at which one peer's fibers wait. */
interface Peer {
  readonly gate: Latch.Latch
  readonly snapshots: SnapshotSender.Gates
}
