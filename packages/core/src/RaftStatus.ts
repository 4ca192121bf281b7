/**
 * What a node says of itself and its group: who leads, how far the log is, who belongs.
 */
import * as Schema from "effect/Schema"
import { LogIndex } from "./LogIndex.ts"
import { Membership } from "./Membership.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import { Term } from "./Term.ts"

/** What a node is doing (paper, figure 4; `PreCandidate` is of the thesis, section 9.6). */
export const Role = Schema.Literals(["Follower", "PreCandidate", "Candidate", "Leader"])
export type Role = typeof Role.Type

/** A node's own view of itself and its group. */
export const RaftStatus = Schema.Struct({
  clusterId: ClusterId,
  groupId: GroupId,
  nodeId: NodeId,
  role: Role,
  term: Term,
  leader: Schema.NullOr(NodeId),
  commitIndex: LogIndex,
  appliedIndex: LogIndex,
  /**
   * The version of the machine that the group runs, as far as this node has applied the log. Commands that
   * older programs cannot read may be proposed once it is high enough.
   */
  machineVersion: Schema.Natural,
  lastIndex: LogIndex,
  /** Voters, learners, and while two sets must agree the outgoing one. In force, committed or not. */
  membership: Membership,
  /** At a leader that hands over: to whom. */
  transferTo: Schema.NullOr(NodeId)
})
export type RaftStatus = typeof RaftStatus.Type
