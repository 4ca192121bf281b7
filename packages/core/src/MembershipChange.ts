/**
 * What an operator may ask of a cluster's membership, and why a leader may refuse.
 *
 * A change names what is to be different, not what the whole is to look like, so that two operators who
 * look at different moments do not undo each other's work. How a change is carried out (in one step, or by
 * way of joint consensus) is the leader's business (paper, section 6; thesis, chapter 4).
 */
import * as Schema from "effect/Schema"
import { LogIndex } from "./LogIndex.ts"
import { PeerAddress } from "./Membership.ts"
import { NodeId } from "./NodeId.ts"
import { Term } from "./Term.ts"

export const MembershipChange = Schema.TaggedUnion({
  /** A new node gets the log and does not count. `autoPromote`: it becomes a voter when it has caught up. */
  AddLearner: { nodeId: NodeId, address: PeerAddress, autoPromote: Schema.optionalKey(Schema.Boolean) },
  /** A learner that has caught up becomes a voter. */
  Promote: { nodeId: NodeId },
  /** A voter becomes a learner. */
  Demote: { nodeId: NodeId },
  /** A voter or a learner leaves. */
  Remove: { nodeId: NodeId },
  /** These members, and no others, are the voters; those who were and are not named leave. */
  ReplaceVoters: { voters: Schema.Array(NodeId) },
  /** A member is reached at another address from now on. */
  Move: { nodeId: NodeId, address: PeerAddress }
})
export type MembershipChange = typeof MembershipChange.Type

/** Why a change was refused. Nothing has happened. */
export const MembershipRejection = Schema.TaggedUnion({
  /** Another change is not finished; its entry is at `index`. */
  ChangeInFlight: { index: LogIndex },
  /** The leader is new, and no entry of its own term is committed yet. */
  NothingCommittedYet: { term: Term },
  /** The leader is handing over. */
  TransferInProgress: { to: NodeId },
  AlreadyMember: { nodeId: NodeId },
  AlreadyVoter: { nodeId: NodeId },
  AlreadyLearner: { nodeId: NodeId },
  NotAMember: { nodeId: NodeId },
  /** `by` is reached at this address. */
  AddressTaken: { address: PeerAddress, by: NodeId },
  /** The transport cannot read the address. */
  InvalidAddress: { address: PeerAddress, detail: Schema.String },
  NamedTwice: { nodeId: NodeId },
  NoVoterLeft: {},
  NothingToChange: {},
  /** The log of a node that is to vote reaches, as far as the leader knows, only to `matchIndex`. */
  LearnerLags: { nodeId: NodeId, matchIndex: LogIndex, commitIndex: LogIndex },
  /** Of those who are to vote the leader has lately heard only `reachable`: no majority. */
  QuorumUnreachable: { voters: Schema.Array(NodeId), reachable: Schema.Array(NodeId) }
})
export type MembershipRejection = typeof MembershipRejection.Type

/** A rejection in words, with what can be done about it. */
export const describe: (rejection: MembershipRejection) => string = MembershipRejection.match({
  ChangeInFlight: ({ index }) =>
    `another change, at index ${index}, is not finished; ask again when status shows no joint or uncommitted membership`,
  NothingCommittedYet: ({ term }) =>
    `the leader has not committed an entry of its term ${term} yet; ask again in a moment`,
  TransferInProgress: ({ to }) => `the leader is handing over to ${to}; ask the next leader`,
  AlreadyMember: ({ nodeId }) => `${nodeId} is a member already`,
  AlreadyVoter: ({ nodeId }) => `${nodeId} is a voter already`,
  AlreadyLearner: ({ nodeId }) => `${nodeId} is a learner already`,
  NotAMember: ({ nodeId }) =>
    `${nodeId} is not a member; status shows who is, and a new node is added as a learner first`,
  AddressTaken: ({ address, by }) =>
    `${by} is reached at ${address}; every member needs an address of its own`,
  InvalidAddress: ({ address, detail }) => `"${address}" is no address: ${detail}`,
  NamedTwice: ({ nodeId }) => `${nodeId} is named twice`,
  NoVoterLeft: () => "no voter would be left",
  NothingToChange: () => "the membership is like that already",
  LearnerLags: ({ nodeId, matchIndex, commitIndex }) =>
    `${nodeId} has the log up to ${matchIndex}, ${commitIndex} is committed; ask again when it has caught up`,
  QuorumUnreachable: ({ voters, reachable }) =>
    `of the voters ${voters.join(", ")} only ${reachable.length === 0 ? "none" : reachable.join(", ")} can be reached: nothing could be committed`
})
