/**
 * What the rules want done. Every action is carried out by the actor, after the new state is in place.
 *
 * There are two ways to send, told apart by type because safety hangs on the difference: `SendNow`, and
 * `SendWhenDurable`, which promises something (a vote, a match) that a crash must not take back.
 *
 * What leaders send to replicate is not here: replicators look at the published state and ask
 * `Replication.nextAppend`.
 */
import type { EntryBlock } from "../LogEntry.ts"
import type { LogIndex } from "../LogIndex.ts"
import type { Membership } from "../Membership.ts"
import type { MembershipRejection } from "../MembershipChange.ts"
import type { NodeId } from "../NodeId.ts"
import type { InstallSnapshot, RaftMessage } from "../RaftMessage.ts"
import type { HardState, LogBase } from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { Term } from "../Term.ts"

/** Write this, in the order of tickets; then say `Persisted`. */
export interface Persist {
  readonly _tag: "Persist"
  readonly ticket: number
  readonly hardState?: HardState
  readonly truncateFrom?: LogIndex
  /** Let the log begin after this place; a snapshot that reaches to it is durable. */
  readonly base?: LogBase
  readonly blocks: ReadonlyArray<EntryBlock>
  /** What is known to be committed. */
  readonly committed?: LogIndex
  /** The last index of the log after this write. */
  readonly lastIndex: LogIndex
}

export interface SendNow {
  readonly _tag: "SendNow"
  readonly to: NodeId
  readonly message: RaftMessage
}

/** Send once everything up to `ticket` is durable. */
export interface SendWhenDurable {
  readonly _tag: "SendWhenDurable"
  readonly ticket: number
  readonly to: NodeId
  readonly message: RaftMessage
}

/** The drafts of the last `Proposed` are in the log, in order, from `firstIndex` on. */
export interface ProposalsAppended {
  readonly _tag: "ProposalsAppended"
  readonly firstIndex: LogIndex
  readonly term: Term
}

/** `Transferring`: this leader is handing over, and takes no commands meanwhile. */
export type ProposalRefusal = "NotLeader" | "TooMuchUncommitted" | "Transferring"

/** The drafts of the last `Proposed` are in no log. */
export interface ProposalsRefused {
  readonly _tag: "ProposalsRefused"
  readonly because: ProposalRefusal
}

/** A change of the membership is in the log, and in force. */
export interface MembershipAppended {
  readonly _tag: "MembershipAppended"
  readonly requestId: number
  readonly index: LogIndex
  readonly term: Term
}

/** A change of the membership is in no log. */
export interface MembershipRefused {
  readonly _tag: "MembershipRefused"
  readonly requestId: number
  readonly because: "NotLeader" | MembershipRejection
}

/** This membership is committed, and is not on the way to another: every change up to `index` has ended. */
export interface MembershipSettled {
  readonly _tag: "MembershipSettled"
  readonly index: LogIndex
  readonly membership: Membership
}

/** The leader has begun to hand over to a node. */
export interface TransferBegun {
  readonly _tag: "TransferBegun"
  readonly requestId: number
  readonly to: NodeId
}

/** Why a leader does not hand over. `NoSuccessor`: it hears no other voter. `InProgress`: it does already. */
export type TransferRefusal = "NotLeader" | "InProgress" | "NoSuccessor" | "AlreadyLeader" | "NotAVoter"

export interface TransferRefused {
  readonly _tag: "TransferRefused"
  readonly requestId: number
  readonly because: TransferRefusal
}

/** The other node did not take over in time: this leader leads on. */
export interface TransferAbandoned {
  readonly _tag: "TransferAbandoned"
  readonly requestId: number
  readonly to: NodeId
}

/** These reads may be answered from any state that has applied `readIndex`. */
export interface ReadsConfirmed {
  readonly _tag: "ReadsConfirmed"
  readonly readIds: ReadonlyArray<number>
  readonly readIndex: LogIndex
  /** The leader's lease was enough. */
  readonly byLease?: true
}

/** These reads were not confirmed and will not be; nothing was promised. */
export interface ReadsRefused {
  readonly _tag: "ReadsRefused"
  readonly readIds: ReadonlyArray<number>
}

/** A piece of the leader's snapshot: put it with the others, and tell the leader how far it got. */
export interface KeepSnapshotPiece {
  readonly _tag: "KeepSnapshotPiece"
  readonly from: NodeId
  readonly piece: InstallSnapshot
}

/** The newest snapshot on disk takes the place of the machine's state. */
export interface RestoreMachine {
  readonly _tag: "RestoreMachine"
  readonly snapshot: SnapshotMeta
}

/** A peer that comes back has not what it had acknowledged. It gets everything anew; somebody should know. */
export interface PeerForgot {
  readonly _tag: "PeerForgot"
  readonly peer: NodeId
  /** How far it had acknowledged this leader's log. */
  readonly acknowledged: LogIndex
}

export type Action =
  | Persist
  | SendNow
  | SendWhenDurable
  | ProposalsAppended
  | ProposalsRefused
  | MembershipAppended
  | MembershipRefused
  | MembershipSettled
  | TransferBegun
  | TransferRefused
  | TransferAbandoned
  | ReadsConfirmed
  | ReadsRefused
  | KeepSnapshotPiece
  | RestoreMachine
  | PeerForgot

/** Collects the actions of one step, in order. */
export type Emit = (action: Action) => void
