/**
 * Who belongs to the cluster (paper, section 6; thesis, chapter 4).
 *
 * A membership is an entry in the log like any other, in force on a node as soon as it stands in that
 * node's log, committed or not. `Joint` is the transitional form C-old,new: both sets must agree.
 */
import * as Schema from "effect/Schema"
import { NodeId } from "./NodeId.ts"

/** Where a member listens for its peers, in the words of the transport ("127.0.0.1:7001"). */
export const PeerAddress = Schema.String
export type PeerAddress = typeof PeerAddress.Type

/** One member: its name and where its peers reach it. */
export const Member = Schema.Struct({ id: NodeId, address: PeerAddress })
export type Member = typeof Member.Type

/** A member that gets the log but does not count. */
export const Learner = Schema.Struct({
  ...Member.fields,
  /** The leader makes it a voter as soon as it has caught up. Absent: when it is asked to. */
  autoPromote: Schema.optionalKey(Schema.Boolean)
})
export type Learner = typeof Learner.Type

const shared = {
  /** Members that count to the quorum. */
  voters: Schema.Array(Member),
  learners: Schema.Array(Learner)
}

/**
 * The members of the cluster. `Simple` is the usual form. `Joint` is in force between two sets of
 * voters: `outgoing` are the voters of the old set, `voters` those of the new.
 */
export const Membership = Schema.TaggedUnion({
  Simple: shared,
  Joint: { ...shared, outgoing: Schema.Array(Member) }
})
export type Membership = typeof Membership.Type

/** A membership of voters only, as a new cluster begins. */
export const ofVoters = (voters: Readonly<Record<string, PeerAddress>>): Membership => ({
  _tag: "Simple",
  voters: Object.entries(voters).map(([id, address]) => ({ id: NodeId.make(id), address })),
  learners: []
})

/** What a node knows that is to join a cluster: nobody. It belongs to none, so it never campaigns. */
export const none: Membership = { _tag: "Simple", voters: [], learners: [] }

/** Every member once: voters of both sets and learners. */
export const allMembers = (membership: Membership): ReadonlyArray<Member> => {
  const byId = new Map<NodeId, Member>()
  for (const member of [...outgoingOf(membership), ...membership.voters, ...membership.learners]) {
    byId.set(member.id, member)
  }
  return Array.from(byId.values())
}

const outgoingOf = (membership: Membership): ReadonlyArray<Member> =>
  membership._tag === "Joint" ? membership.outgoing : []

/** The sets of which each must reach a majority of its own: one, or two while joint. */
export const votingSets = (membership: Membership): VotingSets => {
  let sets = knownVotingSets.get(membership)
  if (sets === undefined) knownVotingSets.set(membership, (sets = votingSetsIn(membership)))
  return sets
}

type VotingSets = ReadonlyArray<ReadonlyArray<NodeId>>

/** A membership lasts for ever so long, and is asked for its sets with every answer of a peer. */
const knownVotingSets = new WeakMap<Membership, VotingSets>()

/** Every voter once, of both sets, in the order of their names. */
export const votersByName = (membership: Membership): ReadonlyArray<NodeId> => {
  let voters = knownVotersByName.get(membership)
  if (voters === undefined) {
    voters = Array.from(new Set(votingSets(membership).flat())).sort()
    knownVotersByName.set(membership, voters)
  }
  return voters
}

/** A follower asks for it with every word of its leader. */
const knownVotersByName = new WeakMap<Membership, ReadonlyArray<NodeId>>()

const votingSetsIn = (membership: Membership): VotingSets => {
  const ids = (members: ReadonlyArray<Member>) => members.map((member) => member.id)
  return membership._tag === "Joint"
    ? [ids(membership.voters), ids(membership.outgoing)]
    : [ids(membership.voters)]
}

/** Whether `id` counts to a quorum, in either set. */
export const isVoter = (membership: Membership, id: NodeId): boolean =>
  votingSets(membership).some((set) => set.includes(id))

/** Whether `id` belongs to the cluster, in whatever role. */
export const isMember = (membership: Membership, id: NodeId): boolean =>
  isVoter(membership, id) || membership.learners.some((learner) => learner.id === id)

/** Whether two memberships say the same. */
export const isSame: (one: Membership, other: Membership) => boolean = Schema.toEquivalence(Membership)

const codec = Schema.fromJsonString(Schema.toCodecJson(Membership))
const encodeJson = Schema.encodeSync(codec)
const decodeJson = Schema.decodeSync(codec)

/** The payload of a configuration entry: JSON in UTF-8, so that a log can be read by eye. */
export const toPayload = (membership: Membership): Uint8Array =>
  new TextEncoder().encode(encodeJson(membership))

/** Reads the payload of a configuration entry; throws a `SchemaError` where it is none. */
export const fromPayload = (payload: Uint8Array): Membership => decodeJson(new TextDecoder().decode(payload))
