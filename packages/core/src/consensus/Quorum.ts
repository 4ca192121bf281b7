/**
 * Majorities. A decision needs a majority of every voting set: there is one set, or, in a joint
 * membership, two (paper, sections 5.2 and 6).
 */
import type { NodeId } from "../NodeId.ts"

/** One or two sets of voters. */
export type VotingSets = ReadonlyArray<ReadonlyArray<NodeId>>

/** How many of `size` voters are a majority. An empty set agrees to everything. */
export const majority = (size: number): number => (size === 0 ? 0 : Math.floor(size / 2) + 1)

/**
 * The largest value that a majority of every set has reached: of match indexes, what a quorum holds; of
 * rounds, which one a quorum has answered; of times, since when a quorum has been heard.
 */
export const reachedBy = (sets: VotingSets, valueOf: (voter: NodeId) => number): number => {
  let reached = Number.POSITIVE_INFINITY
  for (const set of sets) {
    if (set.length === 0) continue
    reached = Math.min(reached, sortedDown(set, valueOf)[majority(set.length) - 1]!)
  }
  return reached
}

/** Sets are small, and this is asked with every answer of a peer: by insertion it takes a tenth of a general sort. */
const sortedDown = (
  set: ReadonlyArray<NodeId>,
  valueOf: (voter: NodeId) => number
): ReadonlyArray<number> => {
  const values: Array<number> = []
  for (const voter of set) {
    const value = valueOf(voter)
    let at = values.length
    for (; at > 0 && values[at - 1]! < value; at--) values[at] = values[at - 1]!
    values[at] = value
  }
  return values
}

export type Tally = "Won" | "Lost" | "Pending"

/** How an election stands. A voter without an entry in `votes` has not answered. */
export const tally = (sets: VotingSets, votes: ReadonlyMap<NodeId, boolean>): Tally => {
  const results = sets.map((set) => tallyOne(set, votes))
  if (results.includes("Lost")) return "Lost"
  return results.includes("Pending") ? "Pending" : "Won"
}

const tallyOne = (set: ReadonlyArray<NodeId>, votes: ReadonlyMap<NodeId, boolean>): Tally => {
  const granted = set.filter((voter) => votes.get(voter) === true).length
  const refused = set.filter((voter) => votes.get(voter) === false).length
  if (granted >= majority(set.length)) return "Won"
  return set.length - refused < majority(set.length) ? "Lost" : "Pending"
}
