/** A node that lets every client in and answers none: for tests of what stands before it. */
import type { ClientEntrance } from "@effect-raft/core/ClientEntrance"
import type { Welcome } from "@effect-raft/core/ClientMessage"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"

export const welcome: Welcome = {
  clusterId: ClusterId.make("test"),
  groupId: defaultGroup,
  nodeId: NodeId.make("n1"),
  maxInFlight: 10,
  leaderAt: null
}

export const entrance: ClientEntrance["Service"] = {
  welcome: () => welcome,
  admit: () => ({ take: () => undefined, end: () => undefined })
}
