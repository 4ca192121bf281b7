/**
 * What a change makes of a membership, or why it makes nothing of it. Whether the moment is right for it is
 * not asked here (see Reconfiguration).
 *
 * Where at most one voter comes or goes, every majority of the old set shares a voter with every majority of
 * the new one, and one step is enough (thesis, section 4.1). Any other change of voters goes by way of a
 * joint membership, in which both sets must agree (paper, section 6).
 */
import * as Membership from "../Membership.ts"
import type { Learner, Member } from "../Membership.ts"
import type { MembershipChange, MembershipRejection } from "../MembershipChange.ts"
import type { NodeId } from "../NodeId.ts"

/** A membership that is in force for good, and not only between two others. */
export type Simple = Extract<Membership.Membership, { readonly _tag: "Simple" }>

type Next = Membership.Membership | MembershipRejection

/** The membership that `change` leads to, joint where one step is not enough. */
export const next = (now: Simple, change: MembershipChange): Next => {
  switch (change._tag) {
    case "AddLearner": {
      const { nodeId: id, address, autoPromote } = change
      const learner: Learner = { id, address, ...(autoPromote === true ? { autoPromote } : undefined) }
      return Membership.isMember(now, id)
        ? { _tag: "AlreadyMember", nodeId: id }
        : (addressTaken(now, learner) ?? { ...now, learners: [...now.learners, learner] })
    }
    case "Promote":
      return promote(now, change.nodeId)
    case "Demote":
      return demote(now, change.nodeId)
    case "Remove":
      return remove(now, change.nodeId)
    case "ReplaceVoters":
      return replaceVoters(now, change.voters)
    case "Move":
      return move(now, { id: change.nodeId, address: change.address })
  }
}

/** Whether {@link next} gave a membership. */
export const isMembership = (next: Next): next is Membership.Membership =>
  next._tag === "Simple" || next._tag === "Joint"

/** What a joint membership ends in: the new set alone (paper, section 6: C-new). */
export const leaveJoint = ({ voters, learners }: Membership.Membership): Simple => ({
  _tag: "Simple",
  voters,
  learners
})

const promote = (now: Simple, nodeId: NodeId): Next => {
  if (Membership.isVoter(now, nodeId)) return { _tag: "AlreadyVoter", nodeId }
  const learner = now.learners.find(({ id }) => id === nodeId)
  if (learner === undefined) return { _tag: "NotAMember", nodeId }
  return { ...now, voters: [...now.voters, plain(learner)], learners: without(now.learners, nodeId) }
}

const demote = (now: Simple, nodeId: NodeId): Next => {
  if (!Membership.isMember(now, nodeId)) return { _tag: "NotAMember", nodeId }
  const voter = now.voters.find(({ id }) => id === nodeId)
  if (voter === undefined) return { _tag: "AlreadyLearner", nodeId }
  const voters = without(now.voters, nodeId)
  return voters.length === 0
    ? { _tag: "NoVoterLeft" }
    : { ...now, voters, learners: [...now.learners, voter] }
}

const remove = (now: Simple, nodeId: NodeId): Next => {
  if (!Membership.isMember(now, nodeId)) return { _tag: "NotAMember", nodeId }
  const voters = without(now.voters, nodeId)
  return voters.length === 0
    ? { _tag: "NoVoterLeft" }
    : { ...now, voters, learners: without(now.learners, nodeId) }
}

const replaceVoters = (now: Simple, named: ReadonlyArray<NodeId>): Next => {
  if (named.length === 0) return { _tag: "NoVoterLeft" }
  const members = new Map(Membership.allMembers(now).map((member) => [member.id, plain(member)]))
  const voters: Array<Member> = []
  for (const nodeId of named) {
    const member = members.get(nodeId)
    if (member === undefined) return { _tag: "NotAMember", nodeId }
    if (voters.includes(member)) return { _tag: "NamedTwice", nodeId }
    voters.push(member)
  }
  const learners = now.learners.filter(({ id }) => !named.includes(id))
  switch (votersThatDiffer(now.voters, voters)) {
    case 0:
      return { _tag: "NothingToChange" }
    case 1:
      return { _tag: "Simple", voters, learners }
    default:
      return { _tag: "Joint", voters, outgoing: now.voters, learners }
  }
}

/** How many voters come or go. */
const votersThatDiffer = (before: ReadonlyArray<Member>, after: ReadonlyArray<Member>): number => {
  const both = after.filter(({ id }) => before.some((member) => member.id === id)).length
  return before.length + after.length - 2 * both
}

const move = (now: Simple, moved: Member): Next => {
  const member = Membership.allMembers(now).find(({ id }) => id === moved.id)
  if (member === undefined) return { _tag: "NotAMember", nodeId: moved.id }
  if (member.address === moved.address) return { _tag: "NothingToChange" }
  const at = <A extends Member>(list: ReadonlyArray<A>): ReadonlyArray<A> =>
    list.map((one) => (one.id === moved.id ? { ...one, address: moved.address } : one))
  return addressTaken(now, moved) ?? { ...now, voters: at(now.voters), learners: at(now.learners) }
}

const addressTaken = (now: Simple, { id, address }: Member): MembershipRejection | undefined => {
  const other = Membership.allMembers(now).find((member) => member.address === address && member.id !== id)
  return other === undefined ? undefined : { _tag: "AddressTaken", address, by: other.id }
}

const without = <A extends Member>(members: ReadonlyArray<A>, id: NodeId): ReadonlyArray<A> =>
  members.filter((member) => member.id !== id)

/** A learner's wish to be promoted is fulfilled, or void. */
const plain = ({ id, address }: Member): Member => ({ id, address })
