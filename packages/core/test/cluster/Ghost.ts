/**
 * A hand at the wire: speaks as a node that is down, so that a test can say things to the others that a
 * node says only at an unlucky moment, or never.
 */
import type * as Effect from "effect/Effect"
import * as EffectModule from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import type { TransportError } from "../../src/RaftTransport.ts"
import type { JournalCluster } from "./ClusterTest.ts"

export interface Ghost {
  readonly send: (to: NodeId, message: RaftMessage) => void
  /** What the others have said to it, oldest first. */
  readonly heard: ReadonlyArray<RaftMessage>
}

/** Takes the place of `nodeId`, which must be down. */
export const possess = (
  cluster: JournalCluster,
  nodeId: NodeId
): Effect.Effect<Ghost, TransportError, Scope.Scope> => {
  const heard: Array<RaftMessage> = []
  const { clusterId, groupId } = cluster.identityOf(nodeId)
  return EffectModule.map(
    cluster.network.transport.open({
      clusterId,
      groupId,
      nodeId,
      peers: new Map(cluster.nodeIds.map((peer) => [peer, `memory:${peer}`])),
      handler: { onMessage: (_from, message) => heard.push(message), onPeerLost: () => {} }
    }),
    (endpoint) => ({ heard, send: (to, message) => void endpoint.send(to, message) })
  )
}
