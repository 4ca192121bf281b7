/**
 * What a client and a node say to each other.
 *
 * A client numbers its requests and may have many under way; answers carry the number of their request and
 * come in any order. Commands, replies, questions and answers travel in the machine's own binary form. How
 * the messages become bytes is the transport's business.
 */
import type { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import type { RaftErrorReason } from "./RaftError.ts"

/** How fresh the answer to a query must be; see `Raft.Consistency`. */
export type QueryConsistency = "linearizable" | "stale"

/** Replicate a command, and answer with the machine's reply. */
export interface ProposeRequest {
  readonly _tag: "Propose"
  readonly id: number
  readonly command: Uint8Array
}

/** Look at the state. */
export interface QueryRequest {
  readonly _tag: "Query"
  readonly id: number
  readonly consistency: QueryConsistency
  readonly query: Uint8Array
}

/** Open a session, within the limits of the node's configuration. Answered with a `SessionAnswer`. */
export interface OpenSessionRequest {
  readonly _tag: "OpenSession"
  readonly id: number
}

/** Do what a session's record says, unless it opens one. Answered with a `SessionAnswer`. */
export interface SessionRequest {
  readonly _tag: "Session"
  readonly id: number
  /** An encoded `SessionRecord`. */
  readonly record: Uint8Array
}

/**
 * Say where the leader listens for clients, as soon as it is another node than the one named, which gives no answers.
 * Answered with that address in UTF-8; empty, where it is the node that answers.
 */
export interface AwaitLeaderRequest {
  readonly _tag: "AwaitLeader"
  readonly id: number
  readonly otherThan: NodeId
}

export type ClientRequest =
  | ProposeRequest
  | QueryRequest
  | OpenSessionRequest
  | SessionRequest
  | AwaitLeaderRequest

/** The machine's reply, its answer to a query, the sessions' answer, or where the leader is. */
export interface DoneAnswer {
  readonly _tag: "Done"
  readonly id: number
  readonly bytes: Uint8Array
}

/** Why there is none. */
export interface FailedAnswer {
  readonly _tag: "Failed"
  readonly id: number
  readonly reason: RaftErrorReason
  /** Where the leader listens for clients, if the node is not it and knows. */
  readonly leaderAt: string | null
}

export type ClientAnswer = DoneAnswer | FailedAnswer

/** What a node says of itself when a client has connected. */
export interface Welcome {
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly nodeId: NodeId
  /** Requests of one connection that may be unanswered; one more is answered `Overloaded`. */
  readonly maxInFlight: number
  /** Where the leader listens for clients; `null` when this node is it, or knows of none. */
  readonly leaderAt: string | null
}

/** Why a client that wants this cluster and group is not let in, in words for both ends. */
export const refusalOf = (
  wanted: Pick<Welcome, "clusterId" | "groupId">,
  { clusterId, groupId, nodeId }: Welcome
): string | undefined => {
  if (wanted.clusterId !== clusterId)
    return `node ${nodeId} belongs to cluster ${clusterId}, the client wants cluster ${wanted.clusterId}`
  return wanted.groupId === groupId
    ? undefined
    : `node ${nodeId} belongs to group ${groupId}, the client wants group ${wanted.groupId}`
}
