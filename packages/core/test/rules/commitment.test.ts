/**
 * When an entry is committed (paper, sections 5.3, 5.4.2 and figure 8).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { candidate, leader } from "./Harness.ts"

const accepted = (term: number, match: number) => Build.accepted({ term, match })

describe("a majority holds it (section 5.3)", () => {
  it.each([
    { voters: 1, others: 0 },
    { voters: 2, others: 1 },
    { voters: 3, others: 1 },
    { voters: 4, others: 2 },
    { voters: 5, others: 2 },
    { voters: 6, others: 3 }
  ])("B11: of $voters voters the leader needs $others others", ({ voters, others }) => {
    const node = leader({ term: 2, voters })
    for (let peer = 2; peer <= others; peer++) node.receives(`n${peer}`, accepted(2, 1))
    const oneShort = node.state.commitIndex
    node.receives(`n${others + 1}`, accepted(2, 1))
    expect([oneShort, node.state.commitIndex]).toEqual([others === 0 ? 1 : 0, 1])
  })

  it("the same follower twice is one follower", () => {
    const node = leader({ term: 2, voters: 5 }).receives("n2", accepted(2, 1)).receives("n2", accepted(2, 1))
    expect(node.state.commitIndex).toBe(0)
  })

  it("B08: learners, strangers and removed nodes do not count", () => {
    const node = leader({ term: 2, voters: 3, learners: 2 })
    for (const peer of ["n4", "n5", "n9"]) node.receives(peer, accepted(2, 1))
    expect(node.state.commitIndex).toBe(0)
  })

  it("B08: a node that catches up does not count for what it does not hold yet", () => {
    const node = leader({ term: 2, log: [1, 1] }).receives("n2", accepted(2, 2))
    expect(node.state.commitIndex).toBe(0)
  })

  it("B14: the leader counts itself only when the entry is on its disk", () => {
    const node = leader({ term: 2 }).withSlowDisk().proposes("a").receives("n2", accepted(2, 2))
    expect(node.state.commitIndex).toBe(1)
    node.persists()
    expect(node.state.commitIndex).toBe(2)
  })

  it("B14: and also when it is alone", () => {
    const node = leader({ term: 2, voters: 1 }).withSlowDisk().proposes("a")
    expect(node.state.commitIndex).toBe(1)
    node.persists()
    expect(node.state.commitIndex).toBe(2)
  })

  it("a slow leader's disk is not needed where the others are a majority", () => {
    const node = leader({ term: 2 }).withSlowDisk().proposes("a")
    node.receives("n2", accepted(2, 2)).receives("n3", accepted(2, 2))
    expect(node.state.commitIndex).toBe(2)
  })

  it("in a joint membership both sets must hold it (section 6)", () => {
    const some = ["n1", "n2", "n3"]
    const others = ["n1", "n4", "n5"]
    for (const sets of [
      { voters: some, outgoing: others },
      { voters: others, outgoing: some }
    ]) {
      const node = leader({ term: 2, membership: Build.joint(sets) })
      node.receives("n2", accepted(2, 1)).receives("n3", accepted(2, 1))
      expect(node.state.commitIndex).toBe(0)
      node.receives("n5", accepted(2, 1))
      expect(node.state.commitIndex).toBe(1)
    }
  })

  it("the commit index never goes back", () => {
    const node = leader({ term: 2 }).proposes("a").receives("n2", accepted(2, 2))
    node.receives("n2", accepted(2, 1)).receives("n3", accepted(2, 1))
    expect(node.state.commitIndex).toBe(2)
  })
})

describe("B01: figure 8 (section 5.4.2)", () => {
  it("an entry of an older term is not committed by counting", () => {
    // As S1 in (c): it leads term 4 and has brought its entry 2@2 to a majority of five.
    const node = leader({ term: 4, log: [1, 2], voters: 5 })
    node.receives("n2", accepted(4, 2)).receives("n3", accepted(4, 2))
    node.receives("n4", accepted(4, 2)).receives("n5", accepted(4, 2))
    expect(node.state.commitIndex).toBe(0)
  })

  it("that entry commits together with one of the leader's own term", () => {
    // As in (e): once 3@4 is on a majority, 2@2 can no longer be lost.
    const node = leader({ term: 4, log: [1, 2], voters: 5 }).receives("n2", accepted(4, 3))
    expect(node.state.commitIndex).toBe(0)
    node.receives("n3", accepted(4, 3))
    expect(node.state.commitIndex).toBe(3)
  })

  it("also where the own disk is what was missing", () => {
    const node = candidate({ term: 4, log: [1, 2] }).withSlowDisk()
    node.receives("n2", Build.voteReply({ term: 4, granted: true })).receives("n2", accepted(4, 3))
    expect(node.state.commitIndex).toBe(0)
    node.persists()
    expect(node.state.commitIndex).toBe(3)
  })
})
