/**
 * Names: who a node is, which cluster it belongs to, and which group of that cluster is meant.
 *
 * All three are branded strings, so that one cannot stand where another is wanted. They travel in
 * every handshake and stand in the header of every file, which is how a stranger is recognised.
 */
import * as Schema from "effect/Schema"

const isName = Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
  description: "1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
})

/** The name of one node, unique within its cluster for ever (1 to 64 characters). */
export const NodeId = Schema.String.check(isName).pipe(Schema.brand("effect-raft/NodeId"))
export type NodeId = typeof NodeId.Type

/** The name of a cluster. Nodes of different clusters refuse to talk to each other. */
export const ClusterId = Schema.String.check(isName).pipe(Schema.brand("effect-raft/ClusterId"))
export type ClusterId = typeof ClusterId.Type

/** The name of one Raft group. Several groups may share a process, a transport and a disk. */
export const GroupId = Schema.String.check(isName).pipe(Schema.brand("effect-raft/GroupId"))
export type GroupId = typeof GroupId.Type

/** The group that a program with a single group uses. */
export const defaultGroup: GroupId = GroupId.make("default")
