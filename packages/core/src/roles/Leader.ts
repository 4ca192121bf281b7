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
    const gates = new Map<NodeId, Latch.Latch>()

    const start = (peer: NodeId) => {
      const gate = Latch.makeUnsafe(true)
      gates.set(peer, gate)
      return FiberMap.run(fibers, peer, Replicator.replicate(node, peer, gate), { startImmediately: true })
    }

    const stop = (peer: NodeId) => {
      gates.delete(peer)
      return FiberMap.remove(fibers, peer)
    }

    return {
      reconcile: (peers) =>
        Effect.gen(function* () {
          for (const peer of gates.keys()) if (!peers.includes(peer)) yield* stop(peer)
          for (const peer of peers) if (!gates.has(peer)) yield* start(peer)
        }),
      wake: () => {
        for (const gate of gates.values()) gate.openUnsafe()
      }
    }
  })
