/**
 * Changing memberships never lets two disjoint majorities decide (paper, section 6; thesis, section 4.1).
 *
 * What makes that so is checked piece by piece: no log ever holds two configurations that are not committed;
 * one follows another only by a step that keeps majorities overlapping, and a joint one is followed by its own
 * new set; a leader appends none before an entry of its own term is committed; and nobody is elected who is no
 * voter, or was removed.
 */
import type { Configuration } from "../../consensus/Configurations.ts"
import * as Configurations from "../../consensus/Configurations.ts"
import type { NodeState } from "../../consensus/NodeState.ts"
import type * as LogIndex from "../../LogIndex.ts"
import * as Membership from "../../Membership.ts"
import type { Member } from "../../Membership.ts"
import type { NodeId } from "../../NodeId.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Membership Safety"
  const committed = new Map<LogIndex.LogIndex, Membership.Membership>()

  const isCommitted = ({ index, membership }: Configuration): boolean => {
    const known = committed.get(index)
    return known !== undefined && Membership.isSame(known, membership)
  }

  const learn = ({ commitIndex, configurations: { first, later } }: NodeState): void => {
    for (const { index, membership } of [first, ...later]) {
      if (index <= commitIndex && !committed.has(index)) committed.set(index, membership)
    }
  }

  const checkLog = (nodeId: NodeId, { configurations: { first, later } }: NodeState): void => {
    const open = later.filter((configuration) => !isCommitted(configuration))
    if (open.length > 1) {
      const indexes = open.map(({ index }) => index).join(" and ")
      throw new Violation(property, nodeId, `its log has uncommitted configurations at ${indexes}`)
    }
    later.forEach(({ index, membership }, position) => {
      const before = position === 0 ? first : later[position - 1]!
      const problem = misstep(before.membership, membership)
      if (problem !== undefined)
        throw new Violation(property, nodeId, `the configuration at ${index} ${problem}`)
    })
  }

  return {
    property,
    onStart: (_nodeId, state) => learn(state),
    onTurn: (nodeId, { before, after }) => {
      if (before.commitIndex !== after.commitIndex) learn(after)
      if (before.configurations !== after.configurations) checkLog(nodeId, after)
      if (isHasty(before, after)) {
        const detail = `it appends a configuration in term ${after.currentTerm}, of which nothing is committed`
        throw new Violation(property, nodeId, detail)
      }
      const isElected = after.role._tag === "Leader" && before.role._tag !== "Leader"
      if (isElected && !isEligible(before))
        throw new Violation(property, nodeId, `it is elected for term ${after.currentTerm} and is no voter`)
    }
  }
}

/** A leader that changes the membership before an entry of its own term is committed (thesis, 4.1). */
const isHasty = (before: NodeState, after: NodeState): boolean =>
  before.role._tag === "Leader" &&
  after.role._tag === "Leader" &&
  before.currentTerm === after.currentTerm &&
  before.configurations.later.at(-1) !== after.configurations.later.at(-1) &&
  Configurations.latest(after.configurations).index > before.log.lastIndex &&
  after.commitIndex < after.role.termStartIndex

/** A voter, or one whose removal is not committed as far as it knows (thesis, section 4.2.2). */
const isEligible = ({ self, membership, configurations, commitIndex }: NodeState): boolean =>
  Membership.isVoter(membership, self) ||
  (Configurations.latest(configurations).index > commitIndex &&
    Membership.isVoter(Configurations.previous(configurations).membership, self))

/** Why one membership cannot follow the other. */
const misstep = (before: Membership.Membership, after: Membership.Membership): string | undefined => {
  // A node that is to join does not know what was before.
  if (before.voters.length === 0) return undefined
  if (after._tag === "Joint") {
    if (before._tag === "Joint") return "is joint and follows a joint one"
    return isSameSet(before.voters, after.outgoing)
      ? undefined
      : "is joint with another set than the one before it"
  }
  if (before._tag === "Joint") {
    return isSameSet(before.voters, after.voters)
      ? undefined
      : "leaves the joint one for another set than the new one"
  }
  return differing(before.voters, after.voters) <= 1 ? undefined : "replaces more than one voter in one step"
}

const isSameSet = (one: ReadonlyArray<Member>, other: ReadonlyArray<Member>): boolean =>
  differing(one, other) === 0

const differing = (one: ReadonlyArray<Member>, other: ReadonlyArray<Member>): number => {
  const lacks = (set: ReadonlyArray<Member>, { id }: Member) => !set.some((member) => member.id === id)
  return (
    one.filter((member) => lacks(other, member)).length + other.filter((member) => lacks(one, member)).length
  )
}
