/**
 * What a leader does for its peers: the heartbeat's fiber, and one replicator for each peer, with a fiber
 * beside it that sends snapshots (paper, sections 5.2, 5.3 and 7).
 */
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
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
  /** Sends what every peer is due by now. */
  readonly send: () => void
}

export const makeReplicators = (node: RoleContext): Effect.Effect<Replicators, never, Scope.Scope> =>
  Effect.gen(function* () {
    const snapshotSenders = yield* FiberMap.make<NodeId>()
    const peersByName = new Map<NodeId, Peer>()
    // The same, to be gone through with every turn.
    let all: ReadonlyArray<Peer> = []

    const start = (peer: NodeId) => {
      const gates = SnapshotSender.makeGates()
      const replicator = Replicator.make(node, peer)
      const started: Peer = { replicator, gates }
      peersByName.set(peer, started)
      const sendSnapshots = SnapshotSender.sendWhenNeeded(node, peer, gates, replicator.needsSnapshot).pipe(
        Effect.catch((error) => node.onStorageFailed(error))
      )
      return Effect.andThen(
        FiberMap.run(snapshotSenders, peer, sendSnapshots, { startImmediately: true }),
        Effect.sync(() => replicate(started))
      )
    }

    const stop = (peer: NodeId) => {
      peersByName.delete(peer)
      return FiberMap.remove(snapshotSenders, peer)
    }

    return {
      reconcile: (peers) =>
        Effect.gen(function* () {
          for (const peer of peersByName.keys()) if (!peers.includes(peer)) yield* stop(peer)
          for (const peer of peers) if (!peersByName.has(peer)) yield* start(peer)
          all = Array.from(peersByName.values())
        }),
      send: () => {
        for (const peer of all) {
          replicate(peer)
          peer.gates.moved.openUnsafe()
        }
      }
    }
  })

/** What stands ready for one peer. */
interface Peer {
  readonly replicator: Replicator.Replicator
  readonly gates: SnapshotSender.Gates
}

const replicate = ({ replicator, gates }: Peer): void => {
  replicator.send()
  if (replicator.needsSnapshot()) gates.needed.openUnsafe()
}
