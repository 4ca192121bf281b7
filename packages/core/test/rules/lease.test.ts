/**
 * Reading by a lease (thesis, section 6.4.1), and what makes it safe: promises that followers keep.
 */
import { describe, expect, it } from "vitest"
import { RaftConfig } from "../../src/RaftConfig.ts"
import * as Build from "./Build.ts"
import type { Given, Subject } from "./Harness.ts"
import { follower, followerOf, leader } from "./Harness.ts"

const leases = { leaseReads: true, maxClockDriftPercent: 10 }

const readsByLease = (node: Subject, ...readIds: ReadonlyArray<number>): Subject =>
  node.happens({ _tag: "ReadsRequested", readIds, byLease: true })

const answered = (node: Subject) => node.actionsOf("ReadsConfirmed").length > 0

/** Leads term 4 from time 0; the round of its first heartbeat, at time 20, is answered by n2. */
const leasing = (given: Partial<Given> = {}): Subject => {
  const node = leader({ term: 4, config: leases, ...given })
  node
    .receives("n2", Build.accepted({ term: 4, match: 1 }))
    .waits(20)
    .heartbeatDue()
  return node.receives("n2", Build.accepted({ term: 4, match: 1, round: 1 }))
}

describe("a leader's lease (thesis, section 6.4.1)", () => {
  it("answers at the commit index, without a round", () => {
    const node = readsByLease(leasing(), 7)
    expect(node.actions).toEqual([{ _tag: "ReadsConfirmed", readIds: [7], readIndex: 1, byLease: true }])
  })

  it("lasts for an election timeout less the drift, from the beginning of the round", () => {
    expect(answered(readsByLease(leasing().waits(89), 7))).toBe(true)
    expect(answered(readsByLease(leasing().waits(90), 7))).toBe(false)
  })

  it("is counted from when the round began, not from when it was answered", () => {
    const node = leader({ term: 4, config: leases }).receives("n2", Build.accepted({ term: 4, match: 1 }))
    node.waits(20).heartbeatDue().waits(60)
    node.receives("n2", Build.accepted({ term: 4, match: 1, round: 1 }))
    expect(answered(readsByLease(node.waits(30), 7))).toBe(false)
  })

  it("needs a quorum", () => {
    const node = leasing({ voters: 5 })
    node.receives("n3", Build.accepted({ term: 4, match: 1 }))
    expect(answered(readsByLease(node, 7))).toBe(false)
    node.receives("n3", Build.accepted({ term: 4, match: 1, round: 1 }))
    expect(answered(readsByLease(node, 8))).toBe(true)
  })

  it("is not there before the first commit of the term (section 8)", () => {
    const node = leader({ term: 4, config: leases }).waits(20).heartbeatDue()
    node.receives("n2", Build.accepted({ term: 4, match: 0, round: 1 }))
    expect(answered(readsByLease(node, 7))).toBe(false)
  })

  it("without one a quorum is asked", () => {
    const node = readsByLease(leasing().waits(90), 7)
    expect(node.replicatesTo("n2").at(-1)).toMatchObject({ round: 2 })
    node.receives("n2", Build.accepted({ term: 4, match: 1, round: 2 }))
    expect(node.actions).toEqual([{ _tag: "ReadsConfirmed", readIds: [7], readIndex: 1 }])
  })

  it("is not used where it was not asked for, nor where it is switched off", () => {
    expect(answered(leasing().reads(7))).toBe(false)
    const without = leader({ term: 4 }).receives("n2", Build.accepted({ term: 4, match: 1 }))
    expect(answered(readsByLease(without.waits(20).heartbeatDue(), 7))).toBe(false)
  })

  it("is given up by a leader that hands over, for the rest of its term", () => {
    const node = leasing().happens({ _tag: "TransferRequested", requestId: 1, to: Build.id("n2") })
    expect(answered(readsByLease(node, 7))).toBe(false)
    for (let beat = 0; beat < 10; beat++) {
      node.waits(20).heartbeatDue()
      node.receives("n2", Build.accepted({ term: 4, match: 1, round: 2 + beat }))
    }
    expect(answered(readsByLease(node, 8))).toBe(false)
  })

  it("one voter alone always has it", () => {
    expect(answered(readsByLease(leader({ term: 4, voters: 1, config: leases }).waits(1000), 7))).toBe(true)
  })
})

describe("what followers promise with it", () => {
  const request = (term: number, leadershipTransfer = false) =>
    Build.requestVote({ term, last: { index: 9, term: 4 }, leadershipTransfer })

  it("they start no election when only the leader's connection breaks", () => {
    const node = followerOf("n2", { term: 4, config: leases })
    node.happens({ _tag: "PeerLost", peer: Build.id("n2") })
    expect(node.electionDeadlineMillis).toBe(100)
    node.receives("n3", request(5))
    expect(node.state.votedFor).toBeNull()
  })

  it("they vote for nobody, also where another message has moved their term", () => {
    const node = followerOf("n2", { term: 4, config: leases })
    node.receives("n3", Build.voteReply({ term: 5, granted: false }))
    expect(node.state.currentTerm).toBe(5)
    node.waits(99).receives("n3", request(5))
    expect(node.sent).toEqual([["n3", Build.voteReply({ term: 5, granted: false })]])
    node.waits(1).receives("n3", request(5))
    expect(node.sent).toEqual([["n3", Build.voteReply({ term: 5, granted: true })]])
  })

  it("but whom the leader itself has appointed", () => {
    const node = followerOf("n2", { term: 4, config: leases }).receives("n3", request(5, true))
    expect(node.state.votedFor).toBe("n3")
  })

  it("for an election timeout after a start, for they may have promised before", () => {
    const node = follower({ term: 4, config: leases }).waits(99).receives("n3", request(5))
    expect([node.sent, node.state.currentTerm]).toEqual([[], 4])
    expect(node.waits(1).receives("n3", request(5)).state.votedFor).toBe("n3")
  })
})

describe("settings that do not go together are refused", () => {
  it("leases without CheckQuorum", () => {
    expect(() => new RaftConfig({ leaseReads: true, checkQuorum: false })).toThrow("Schema validation failed")
  })

  it("a drift that leaves no lease", () => {
    expect(() => new RaftConfig({ maxClockDriftPercent: 100 })).toThrow("Schema validation failed")
  })
})

describe("election priority", () => {
  it.each([
    // The turns are of 20 ms. Of the three n1 is the second to stand, once n2 is lost.
    { electionPriority: 0, least: 120, latest: 129 },
    { electionPriority: 1, least: 100, latest: 104 },
    { electionPriority: 3, least: 100, latest: 102 }
  ])(
    "with $electionPriority a node waits at most $latest ms, and never less than the others' least",
    (given) => {
      const membership = Build.joint({ voters: ["n0", "n1", "n2"], outgoing: [] })
      const { electionPriority } = given
      const node = followerOf("n2", { term: 4, membership, config: { electionPriority } })
      const heartbeat = Build.appendEntries({ term: 4, prev: Build.start })
      expect(node.receives("n2", heartbeat).electionDeadlineMillis).toBe(given.least)
      node.jitter = 0.999
      expect(node.receives("n2", heartbeat).electionDeadlineMillis).toBe(given.latest)
    }
  )
})
