/**
 * Those who leave, join or move: a leader that removes itself, a node that was removed, one that is to join
 * (thesis, section 4.2).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { agree, demote, move, remove, replace, settled } from "./Changes.ts"
import { follower, followerOf } from "./Harness.ts"

describe("B29: a leader that removes itself (thesis, section 4.2.2)", () => {
  it("does not count itself", () => {
    const node = settled()
      .changes(remove("n1"))
      .receives("n2", Build.accepted({ term: 2, match: 2 }))
    expect([node.role, node.state.commitIndex]).toEqual(["Leader", 1])
  })

  it("leads until that is committed, and then steps down", () => {
    const node = agree(settled().changes(remove("n1")), "n2").proposes("still here")
    expect(node.role).toBe("Leader")
    agree(node, "n3")
    node.receives("n2", Build.accepted({ term: 2, match: 3 }))
    expect([node.role, node.state.currentTerm]).toEqual(["Follower", 2])
  })

  it("also when it becomes a learner", () => {
    const node = agree(settled().changes(demote("n1")), "n2", "n3")
    expect([node.role, node.members]).toEqual(["Follower", "n2 n3 | n1"])
  })

  it("in a joint membership it leads on until the new set stands alone", () => {
    const node = settled({ voters: 1, learners: 3 }).changes(replace("n2", "n3", "n4"))
    agree(node, "n2", "n3")
    expect([node.role, node.members]).toEqual(["Leader", "n2 n3 n4"])
    expect(agree(node, "n2", "n3").role).toBe("Follower")
  })

  it("and stands for no election again", () => {
    const node = agree(settled().changes(remove("n1")), "n2", "n3").timesOut()
    expect(node.role).toBe("Follower")
  })

  it("one that was deposed before may, for only it may have the entry (figure 4.6)", () => {
    const node = settled().changes(remove("n1"))
    node.receives("n2", Build.appendEntries({ term: 3, prev: { index: 1, term: 2 } })).timesOut()
    expect([node.members, node.role]).toEqual(["n2 n3", "PreCandidate"])
    // Its own vote counts for nothing.
    node.receives("n2", Build.preVoteReply({ term: 3, requestedTerm: 4, granted: true }))
    expect(node.role).toBe("PreCandidate")
    node.receives("n3", Build.preVoteReply({ term: 3, requestedTerm: 4, granted: true }))
    expect(node.role).toBe("Candidate")
  })

  it("also after a restart, when it knows of no commit, though it was no founder", () => {
    const four = Build.membership({ voters: 4 })
    const without = { ...four, voters: four.voters.slice(1) }
    const blocks = [
      Build.configuration({ index: 1, term: 2 }, four),
      Build.configuration({ index: 2, term: 2 }, without)
    ]
    const node = follower({ term: 0, membership: { _tag: "Simple", voters: [], learners: [] } })
    node.receives("n2", Build.appendEntries({ term: 2, prev: Build.start, blocks, commit: 1 }))
    node.crashesAndRestarts()
    expect([node.members, node.state.commitIndex]).toEqual(["n2 n3 n4", 0])
    expect(node.timesOut().role).toBe("PreCandidate")
  })
})

describe("B35: who was removed", () => {
  it("gets the log up to its removal, and then nothing", () => {
    const node = settled().changes(remove("n3"))
    expect(node.replicatesTo("n3")).toHaveLength(1)
    agree(node, "n2", "n3").heartbeatDue().heartbeatDue()
    expect(node.replicatesTo("n3")).toEqual([])
  })

  it("is told that the removal is committed", () => {
    const node = settled().changes(remove("n3"))
    node.replicatesTo("n3")
    agree(node, "n3", "n2").heartbeatDue()
    expect(node.replicatesTo("n3").at(-1)).toMatchObject({ leaderCommit: 2 })
  })

  it("is given up when it does not answer", () => {
    const node = agree(settled().changes(remove("n3")).waits(100), "n2").heartbeatDue()
    expect(node.replicatesTo("n3")).toEqual([])
  })

  it("knows it and stands for no election", () => {
    const without = Build.configuration(
      { index: 1, term: 2 },
      { _tag: "Simple", voters: Build.membership({ voters: 3 }).voters.slice(1), learners: [] }
    )
    const node = follower({ term: 2 })
    node.receives("n2", Build.appendEntries({ term: 2, prev: Build.start, blocks: [without], commit: 1 }))
    expect(node.timesOut().role).toBe("Follower")
  })

  it("or does not know it, and disturbs nobody who hears a leader", () => {
    const node = followerOf("n2", { term: 2, log: [1, 1] })
    node.receives("n9", Build.preVote({ term: 9, last: { index: 1, term: 1 } }))
    expect(node.sent).toEqual([["n9", Build.preVoteReply({ term: 2, requestedTerm: 9, granted: false })]])
    node.receives("n9", Build.requestVote({ term: 9, last: { index: 9, term: 8 } }))
    expect([node.sent, node.state.currentTerm]).toEqual([[], 2])
  })
})

describe("a node that is to join", () => {
  const joining = () => follower({ term: 0, membership: { _tag: "Simple", voters: [], learners: [] } })

  it("knows nobody and never campaigns", () => {
    expect(joining().timesOut().timesOut().role).toBe("Follower")
  })

  it("takes the log of a leader, and learns from it who belongs", () => {
    const four = Build.configuration({ index: 1, term: 2 }, Build.membership({ voters: 3, learners: 1 }))
    const node = joining()
    node.receives("n2", Build.appendEntries({ term: 2, prev: Build.start, blocks: [four] }))
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 2, match: 1 })]])
    expect(node.members).toBe("n1 n2 n3 | n4")
  })
})

describe("a member moves to another address", () => {
  it("as voter and as learner, and nothing else changes", () => {
    const node = settled({ learners: 1 }).changes(move("n2", "memory:elsewhere"))
    agree(node, "n2", "n3").changes(move("n4", "memory:nowhere"))
    const { voters, learners } = node.state.membership
    expect([voters[1], learners]).toEqual([
      { id: "n2", address: "memory:elsewhere" },
      [{ id: "n4", address: "memory:nowhere" }]
    ])
    expect(node.progress("n2").matchIndex).toBe(2)
  })
})
