/**
 * What a running node offers to the calls that stand between it and its public face: the actor's work, and nothing of
 * how it is put together (see RaftNode).
 */
import type * as Effect from "effect/Effect"
import type { NodeState } from "../consensus/NodeState.ts"
import type { RaftLog } from "../consensus/RaftLog.ts"
import type * as LogIndex from "../LogIndex.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftError, RaftErrorReason } from "../RaftError.ts"
import type { MachineSnapshot } from "../Snapshot.ts"
import type { Forwarder } from "./Forwarder.ts"
import type { OperatorCalls } from "./OperatorCalls.ts"
import type { ReadWait } from "./ReadSlots.ts"
import type { ProposalSlot } from "./ReplySlots.ts"
import type { Watchers } from "./Watchers.ts"

/** How many callers wait for a node. */
export interface Waiting {
  /** Proposals that stand in this leader's log and are not applied. */
  readonly proposals: number
  readonly reads: number
  /** Commands that were passed on to the leader. */
  readonly forwarded: number
}

/** A running node, before it is given its typed face (see Raft). */
export interface RunningNode<View> {
  /** The state as of the last turn. */
  readonly state: () => NodeState
  /** The monotonic clock, in milliseconds. */
  readonly nowMillis: () => number
  readonly appliedIndex: () => LogIndex.LogIndex
  /** Hands a proposal to the actor; the slot is filled in any case. */
  readonly propose: (slot: ProposalSlot) => void
  /** The caller of the entry at `index` no longer waits. */
  readonly abandon: (index: LogIndex.LogIndex) => void
  readonly changeMembership: OperatorCalls["changeMembership"]
  readonly transferLeadership: OperatorCalls["transferLeadership"]
  /** Passes a command on to `leader` and waits for what becomes of it. */
  readonly forward: Forwarder["forward"]
  /** Tells when a read may be answered from {@link RunningNode.view}, and gives the number of the wait. */
  readonly read: (wait: ReadWait, options?: { readonly mayUseLease: boolean }) => number
  /** Nobody waits any more for what {@link RunningNode.read} gave this number. */
  readonly forgetRead: (readId: number) => void
  /** How many slots are taken: proposals in the log that somebody waits for, and reads. */
  readonly waiting: () => Waiting
  readonly view: () => View
  /** The machine's version in force, as far as this node has applied the log. */
  readonly machineVersion: () => number
  /** The machine's state as it is now, in the form of a snapshot. */
  readonly snapshot: () => MachineSnapshot
  readonly appliedBeyond: (index: LogIndex.LogIndex) => Effect.Effect<RaftLog, RaftError>
  /** Told whenever role, term, leader or membership has changed. */
  readonly watchers: Watchers
  readonly attributesOf: (nodeId: NodeId) => Readonly<Record<string, string>>
  /** Why the node is no longer running; `undefined` while it is. */
  readonly stopped: () => RaftErrorReason | undefined
  readonly failure: Effect.Effect<never, RaftError>
}
