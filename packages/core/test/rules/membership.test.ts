/**
 * Changing the membership: when a change may begin, what it becomes, and when it is refused (paper, section 6;
 * thesis, chapter 4).
 */
import { describe, expect, it } from "vitest"
import type { MembershipChange } from "../../src/MembershipChange.ts"
import * as Build from "./Build.ts"
import { add, agree, demote, move, promote, remove, replace, settled } from "./Changes.ts"
import { candidate, followerOf, leader } from "./Harness.ts"

describe("one change at a time", () => {
  it("another one is refused while one is not committed", () => {
    const node = settled().changes(add("n4")).changes(add("n5"), 2)
    expect(node.rejection).toEqual({ _tag: "ChangeInFlight", index: 2 })
    expect(agree(node, "n2").changes(add("n5"), 3).rejection).toBeUndefined()
  })

  it("and none anywhere but at the leader", () => {
    expect(candidate({ term: 2 }).changes(add("n4")).rejection).toBe("NotLeader")
    expect(followerOf("n2", { term: 2 }).changes(add("n4")).rejection).toBe("NotLeader")
  })

  it("B28: a leader begins none before an entry of its own term is committed", () => {
    const node = leader({ term: 2, log: [1] })
    expect(node.changes(add("n4")).rejection).toEqual({ _tag: "NothingCommittedYet", term: 2 })
    expect(node.members).toBe("n1 n2 n3")
    expect(agree(node, "n2").changes(add("n4")).rejection).toBeUndefined()
  })

  it("while the membership is joint", () => {
    const node = settled({ voters: 3, learners: 2 }).changes(replace("n1", "n4", "n5"))
    expect(node.changes(add("n6")).rejection).toEqual({ _tag: "ChangeInFlight", index: 2 })
  })
})

describe("what cannot be done is refused with the reason", () => {
  it.each<[MembershipChange, object]>([
    [add("n2"), { _tag: "AlreadyMember", nodeId: "n2" }],
    [add("n4"), { _tag: "AlreadyMember", nodeId: "n4" }],
    [{ ...add("n9"), address: "memory:n3" } as MembershipChange, { _tag: "AddressTaken", by: "n3" }],
    [promote("n9"), { _tag: "NotAMember", nodeId: "n9" }],
    [promote("n2"), { _tag: "AlreadyVoter", nodeId: "n2" }],
    [demote("n9"), { _tag: "NotAMember", nodeId: "n9" }],
    [demote("n4"), { _tag: "AlreadyLearner", nodeId: "n4" }],
    [remove("n9"), { _tag: "NotAMember", nodeId: "n9" }],
    [replace(), { _tag: "NoVoterLeft" }],
    [replace("n1", "n9"), { _tag: "NotAMember", nodeId: "n9" }],
    [replace("n1", "n4", "n1"), { _tag: "NamedTwice", nodeId: "n1" }],
    [replace("n3", "n2", "n1"), { _tag: "NothingToChange" }],
    [move("n9", "memory:m9"), { _tag: "NotAMember", nodeId: "n9" }],
    [move("n2", "memory:n2"), { _tag: "NothingToChange" }],
    [move("n2", "memory:n4"), { _tag: "AddressTaken", by: "n4" }]
  ])("%j: %j", (change, rejection) => {
    const node = settled({ voters: 3, learners: 1 }).changes(change)
    expect(node.rejection).toMatchObject(rejection)
    expect([node.members, node.state.log.lastIndex]).toEqual(["n1 n2 n3 | n4", 1])
  })

  it.each([demote("n1"), remove("n1")])("%j of the last voter", (change) => {
    expect(settled({ voters: 1 }).changes(change).rejection).toEqual({ _tag: "NoVoterLeft" })
  })
})

describe("B34: a learner votes only when it has caught up (thesis, section 4.2.1)", () => {
  const lagging = () => settled({ config: { maxPromotionLagBytes: 60 } }).changes(add("n4"))

  it("one that never answered does not", () => {
    const node = agree(lagging(), "n2").changes(promote("n4"))
    expect(node.rejection).toEqual({ _tag: "LearnerLags", nodeId: "n4", matchIndex: 0, commitIndex: 2 })
  })

  it("one that lacks more than a little does not", () => {
    const node = agree(lagging(), "n2", "n4").proposes("a".repeat(50)).proposes("b".repeat(50))
    agree(node, "n2").changes(promote("n4"))
    expect(node.rejection).toMatchObject({ _tag: "LearnerLags", matchIndex: 2, commitIndex: 4 })
    node.receives("n4", Build.accepted({ term: 2, match: 3 })).changes(promote("n4"))
    expect(node.rejection).toMatchObject({ _tag: "LearnerLags", matchIndex: 3 })
    agree(node, "n4").changes(promote("n4"))
    expect([node.rejection, node.members]).toEqual([undefined, "n1 n2 n3 n4"])
  })

  it("one that has not answered for an election timeout does not", () => {
    const node = agree(agree(lagging(), "n2", "n4").waits(99), "n2").changes(promote("n4"))
    expect(node.rejection).toBeUndefined()
    const silent = agree(agree(lagging(), "n2", "n4").waits(100), "n2").changes(promote("n4"))
    expect(silent.rejection).toMatchObject({ _tag: "LearnerLags", nodeId: "n4" })
  })

  it("nor do any of a whole new set", () => {
    const node = settled({ learners: 2, config: { maxPromotionLagBytes: 0 } }).proposes("a")
    agree(node, "n2", "n4").changes(replace("n1", "n4", "n5"))
    expect(node.rejection).toMatchObject({ _tag: "LearnerLags", nodeId: "n5" })
  })

  it("with autoPromote it becomes a voter by itself when it has", () => {
    const node = agree(settled().changes(add("n4", true)), "n2").heartbeatDue()
    expect(node.members).toBe("n1 n2 n3 | n4")
    agree(node, "n4").heartbeatDue()
    expect(node.members).toBe("n1 n2 n3 n4")
    expect(node.state.membership.voters.at(-1)).toEqual({ id: "n4", address: "memory:n4" })
  })

  it("but not before the change that brought it is committed", () => {
    const node = agree(settled().changes(add("n4", true)), "n4").heartbeatDue()
    expect(node.members).toBe("n1 n2 n3 | n4")
  })
})

describe("a change must leave a quorum that answers", () => {
  it("with one of three down, another cannot be removed", () => {
    const node = agree(settled().waits(100), "n2")
    expect(node.changes(remove("n2")).rejection).toEqual({
      _tag: "QuorumUnreachable",
      voters: ["n1", "n3"],
      reachable: ["n1"]
    })
  })

  it("but the one that is down can", () => {
    const node = agree(settled().waits(100), "n2").changes(remove("n3"))
    expect([node.rejection, node.members]).toEqual([undefined, "n1 n2"])
  })

  it("who has not answered this leader yet is not taken for reachable", () => {
    const node = agree(leader({ term: 2 }), "n2").changes(remove("n2"))
    expect(node.rejection).toMatchObject({ _tag: "QuorumUnreachable" })
  })
})

describe("in one step, or by way of a joint membership (section 6; thesis, section 4.1)", () => {
  it.each([
    { change: replace("n1", "n2", "n3", "n4"), members: "n1 n2 n3 n4 | n5" },
    { change: replace("n1", "n2"), members: "n1 n2 | n4 n5" },
    { change: replace("n1", "n2", "n4"), members: "n1 n2 n3 -> n1 n2 n4 | n5" },
    { change: replace("n4", "n5"), members: "n1 n2 n3 -> n4 n5" },
    { change: replace("n1"), members: "n1 n2 n3 -> n1 | n4 n5" },
    { change: remove("n2"), members: "n1 n3 | n4 n5" },
    { change: demote("n2"), members: "n1 n3 | n4 n5 n2" }
  ])("$members", ({ change, members }) => {
    expect(settled({ learners: 2 }).changes(change).members).toBe(members)
  })

  it("while joint both sets must agree, and then the leader leaves it by itself", () => {
    const node = settled({ learners: 2 }).changes(replace("n1", "n4", "n5"))
    agree(node, "n2", "n3")
    expect([node.state.commitIndex, node.members]).toEqual([1, "n1 n2 n3 -> n1 n4 n5"])
    agree(node, "n4")
    expect([node.state.commitIndex, node.members]).toEqual([2, "n1 n4 n5"])
    expect(node.actionsOf("MembershipSettled")).toEqual([])
    agree(node, "n5")
    expect(node.actionsOf("MembershipSettled")).toMatchObject([{ index: 3 }])
  })

  it("the new set alone decides nothing either", () => {
    const node = settled({ learners: 2 }).changes(replace("n1", "n4", "n5"))
    expect(agree(node, "n4", "n5").state.commitIndex).toBe(1)
  })

  it("B31: a successor finishes the joint membership that it inherits", () => {
    const node = leader({
      term: 3,
      log: [1],
      membership: Build.joint({ voters: ["n1", "n4"], outgoing: ["n1", "n2", "n3"] })
    })
    agree(node, "n2", "n4")
    expect(node.members).toBe("n1 n4")
    expect(node.actionsOf("MembershipRefused")).toEqual([])
  })

  it("B31: but not before it has committed an entry of its own term", () => {
    const node = leader({
      term: 3,
      log: [1],
      membership: Build.joint({ voters: ["n1", "n4"], outgoing: ["n1", "n2", "n3"] })
    })
    expect(agree(node, "n2", "n3").members).toBe("n1 n2 n3 -> n1 n4")
  })
})
