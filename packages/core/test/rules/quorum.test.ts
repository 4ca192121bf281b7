/**
 * Majorities, checked against the most simple-minded way to find them (paper, sections 5.2 and 6).
 */
import { describe, expect, it } from "vitest"
import type { NodeId } from "../../src/NodeId.ts"
import * as Membership from "../../src/Membership.ts"
import * as Quorum from "../../src/consensus/Quorum.ts"
import * as Build from "./Build.ts"
import { Dice } from "./Dice.ts"

const names = (count: number, offset = 0): Array<NodeId> =>
  Array.from({ length: count }, (_, position) => Build.id(`n${position + 1 + offset}`))

/** Tries every value that some voter has, the largest first: does more than half of every set reach it? */
const naiveReachedBy = (sets: Quorum.VotingSets, valueOf: (voter: NodeId) => number): number => {
  const values = sets.flat().map(valueOf)
  const sorted = values.toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0))
  const agreed = sorted.find((value) =>
    sets.every(
      (set) => set.length === 0 || set.filter((voter) => valueOf(voter) >= value).length * 2 > set.length
    )
  )
  return agreed ?? Number.POSITIVE_INFINITY
}

/** One set, or two that overlap as joint memberships do; sometimes an empty one. */
const drawSets = (dice: Dice): Quorum.VotingSets => {
  const first = names(dice.below(9))
  return dice.oneIn(2) ? [first] : [first, names(dice.below(9), dice.below(9))]
}

describe("B10: the value that a quorum has reached", () => {
  it("is what a naive search finds, for 20,000 random sets and values", () => {
    const dice = new Dice(10)
    for (let round = 0; round < 20_000; round++) {
      const sets = drawSets(dice)
      const values = new Map(sets.flat().map((voter) => [voter, dice.below(6)]))
      const valueOf = (voter: NodeId) => values.get(voter) ?? 0
      const found = Quorum.reachedBy(sets, valueOf)
      expect(found, JSON.stringify([sets, [...values]])).toBe(naiveReachedBy(sets, valueOf))
    }
  })

  it("copes with values that are never and always", () => {
    const values = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5, 7]
    const voters = names(5)
    expect(Quorum.reachedBy([voters], (voter) => values[voters.indexOf(voter)]!)).toBe(5)
    expect(Quorum.reachedBy([voters], () => Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY)
  })

  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [6, 4],
    [7, 4]
  ])("B11: of %i voters %i are a majority", (size, majority) => {
    expect(Quorum.majority(size)).toBe(majority)
    // Two majorities always share a voter; one voter less and they need not.
    expect(2 * majority).toBeGreaterThan(size)
    expect(2 * (majority - 1)).toBeLessThanOrEqual(size)
  })
})

describe("how an election stands", () => {
  it("won, lost or pending as counting by hand says, for 20,000 random elections", () => {
    const dice = new Dice(11)
    for (let round = 0; round < 20_000; round++) {
      const sets = drawSets(dice)
      const votes = new Map<NodeId, boolean>()
      for (const voter of sets.flat()) if (!dice.oneIn(3)) votes.set(voter, dice.oneIn(2))
      const canWin = (openCountsAs: boolean) =>
        sets.every((set) => {
          const granted = set.filter((voter) => votes.get(voter) ?? openCountsAs)
          return set.length === 0 || granted.length * 2 > set.length
        })
      const expected = canWin(false) ? "Won" : canWin(true) ? "Pending" : "Lost"
      expect(Quorum.tally(sets, votes), JSON.stringify([sets, [...votes]])).toBe(expected)
    }
  })

  it("B08: votes from outside the sets do not count", () => {
    const votes = new Map(names(9).map((voter) => [voter, true]))
    for (const voter of names(3)) votes.delete(voter)
    expect(Quorum.tally([names(3)], votes)).toBe("Pending")
  })
})

describe("whose word a membership counts", () => {
  const drawMembers = (dice: Dice): Array<Membership.Member> =>
    names(1 + dice.below(7), dice.below(4)).map((id) => ({ id, address: id }))

  const drawMembership = (dice: Dice): Membership.Membership => {
    const shared = { voters: drawMembers(dice), learners: drawMembers(dice) }
    return dice.oneIn(2)
      ? { _tag: "Simple", ...shared }
      : { _tag: "Joint", ...shared, outgoing: drawMembers(dice) }
  }

  /** More than half of the new voters, and while joint more than half of the old ones; learners never. */
  const naiveAgrees = (membership: Membership.Membership, agrees: (id: NodeId) => boolean): boolean => {
    const isMajority = (members: ReadonlyArray<Membership.Member>) => {
      let count = 0
      for (const { id } of members) if (agrees(id)) count += 1
      return count > members.length - count
    }
    return isMajority(membership.voters) && (membership._tag === "Simple" || isMajority(membership.outgoing))
  }

  it("is that of its voters, in both sets while joint, for 20,000 random memberships", () => {
    const dice = new Dice(12)
    for (let round = 0; round < 20_000; round++) {
      const membership = drawMembership(dice)
      const votes = new Map(Membership.allMembers(membership).map(({ id }) => [id, dice.oneIn(2)]))
      const expected = naiveAgrees(membership, (id) => votes.get(id) === true)
      const sets = Membership.votingSets(membership)
      const why = JSON.stringify([membership, [...votes]])
      expect(Quorum.tally(sets, votes) === "Won", why).toBe(expected)
      expect(Quorum.reachedBy(sets, (voter) => (votes.get(voter) === true ? 1 : 0)) === 1, why).toBe(expected)
    }
  })

  it("never that of a learner who is no voter", () => {
    const dice = new Dice(13)
    for (let round = 0; round < 5_000; round++) {
      const membership = drawMembership(dice)
      const all = Membership.allMembers(membership).map(({ id }) => id)
      const silent = new Map(all.map((id) => [id, !Membership.isVoter(membership, id)]))
      expect(Quorum.tally(Membership.votingSets(membership), silent)).toBe("Lost")
    }
  })
})
