/**
 * The public face: what a program does with a replicated state machine.
 *
 * A {@link Raft} is one node's handle on its group. `propose` and `read` are what most programs need;
 * `submit` and `committed` are the labs' `Start` and `applyCh`; `status`, `leader` and `changes` tell
 * what the node is doing.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { LogIndex } from "./LogIndex.ts"
import { Membership } from "./Membership.ts"
import { ClusterId, GroupId, NodeId } from "./NodeId.ts"
import type { RaftError } from "./RaftError.ts"
import { Term } from "./Term.ts"

/** How fresh a read must be. */
export type Consistency =
  /** It sees everything that was answered before it began, on any node. Costs a quorum round, no disk. */
  | "linearizable"
  /** It sees what this node has applied. Costs nothing and may be old. */
  | "stale"

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
  lastIndex: LogIndex,
  membership: Membership
})
export type RaftStatus = typeof RaftStatus.Type

/** Where a command stands in the log. */
export interface Position {
  readonly index: LogIndex
  readonly term: Term
}

/** One committed command, as `committed` delivers it. */
export interface Committed<Command> extends Position {
  readonly command: Command
  readonly timestampMillis: number
}

/** One node's handle on its group. */
export interface Raft<Command, Reply, View> {
  readonly nodeId: NodeId

  /**
   * Replicates a command and answers with the machine's reply, once it is durable on a quorum and
   * applied here. On a node that is not the leader it is passed on to the leader.
   *
   * Interrupting the call abandons the answer, not the command. `error.outcome` tells whether a failed
   * command may have taken effect all the same.
   */
  readonly propose: (command: Command) => Effect.Effect<Reply, RaftError>

  /** As `propose`, and tells where the command stands in the log. */
  readonly proposeAt: (command: Command) => Effect.Effect<Position & { readonly reply: Reply }, RaftError>

  /**
   * Appends a command to the leader's log and answers at once with its place (the labs' `Start`).
   * Whether it is committed shows in `committed`: another command may appear at its index.
   * Fails with `NotLeader` anywhere but on the leader.
   */
  readonly submit: (command: Command) => Effect.Effect<Position, RaftError>

  /** Committed commands in order, from an index that is still held, and then as they come. */
  readonly committed: (options: { readonly from: LogIndex }) => Stream.Stream<Committed<Command>, RaftError>

  /** Looks at the state. `f` runs synchronously on this node and must not keep the view. */
  readonly read: <A>(
    f: (view: View) => A,
    options?: { readonly consistency?: Consistency }
  ) => Effect.Effect<A, RaftError>

  /** The node's present view. */
  readonly status: Effect.Effect<RaftStatus>

  /** The view whenever role, term, leader or membership has changed, beginning with the present. */
  readonly changes: Stream.Stream<RaftStatus>

  /** Who leads, as far as this node knows, beginning with the present. */
  readonly leader: Stream.Stream<NodeId | null>

  /** What a peer told about itself when it connected, such as the URL of its HTTP API. */
  readonly attributesOf: (nodeId: NodeId) => Readonly<Record<string, string>>

  /** Never succeeds; fails when the node has stopped by itself: its disk or its machine failed. */
  readonly failure: Effect.Effect<never, RaftError>
}
