/**
 * What can happen to a node. Each event comes with a {@link Stamp}; nothing else enters the rules.
 */
import type { Draft } from "../LogEntry.ts"
import type { MembershipChange } from "../MembershipChange.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"

/** A peer's message arrived. */
export interface Received {
  readonly _tag: "Received"
  readonly from: NodeId
  readonly message: RaftMessage
}

/** The election deadline may have passed; the rules look at the time themselves. */
export interface ElectionDue {
  readonly _tag: "ElectionDue"
}

/** A heartbeat interval has passed at a leader. */
export interface HeartbeatDue {
  readonly _tag: "HeartbeatDue"
}

/** Clients want these commands in the log. All that waited at the start of a turn are one event. */
export interface Proposed {
  readonly _tag: "Proposed"
  readonly drafts: ReadonlyArray<Draft>
}

/** Clients want to read. `readIds` are the actor's names for the waiting calls. */
export interface ReadsRequested {
  readonly _tag: "ReadsRequested"
  readonly readIds: ReadonlyArray<number>
  /** A lease is enough; where there is none a quorum is asked. Absent: a quorum is asked in any case. */
  readonly byLease?: true
}

/** Somebody wants the membership changed. `requestId` is the actor's name for the call. */
export interface MembershipRequested {
  readonly _tag: "MembershipRequested"
  readonly requestId: number
  readonly change: MembershipChange
}

/** Somebody wants another leader: `to`, or whoever is best. `requestId` is the actor's name for the call. */
export interface TransferRequested {
  readonly _tag: "TransferRequested"
  readonly requestId: number
  readonly to: NodeId | null
}

/** A heartbeat interval has passed at a follower whose reads still wait for the leader's word. */
export interface ReadRetryDue {
  readonly _tag: "ReadRetryDue"
}

/** All writes up to this ticket are on disk. */
export interface Persisted {
  readonly _tag: "Persisted"
  readonly ticket: number
  /** The last index of the log as it was after that write. */
  readonly lastIndex: number
}

/** The connection with a peer broke: it may be dead. */
export interface PeerLost {
  readonly _tag: "PeerLost"
  readonly peer: NodeId
}

/** There are connections with these peers, with one of them since just now. */
export interface PeersFound {
  readonly _tag: "PeersFound"
  readonly peers: ReadonlyArray<NodeId>
}

/** A snapshot of this node's own machine is whole and durable. */
export interface SnapshotTaken {
  readonly _tag: "SnapshotTaken"
  readonly snapshot: SnapshotMeta
}

/** A snapshot that a leader sent is whole and durable. */
export interface SnapshotReceived {
  readonly _tag: "SnapshotReceived"
  readonly from: NodeId
  readonly snapshot: SnapshotMeta
}

export type Event =
  | Received
  | ElectionDue
  | HeartbeatDue
  | Proposed
  | ReadsRequested
  | MembershipRequested
  | TransferRequested
  | ReadRetryDue
  | Persisted
  | PeerLost
  | PeersFound
  | SnapshotTaken
  | SnapshotReceived
