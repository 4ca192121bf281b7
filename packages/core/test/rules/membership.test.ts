/**
 * Changing the membership (paper, section 6; thesis, chapter 4).
 */
import { describe, expect, it } from "vitest"
import type { MembershipChange } from "../../src/MembershipChange.ts"
import * as Build from "./Build.ts"
import type { Given, Subject } from "./Harness.ts"
import { candidate, follower, followerOf, leader } from "./Harness.ts"

const add = (name: string, autoPromote?: boolean): MembershipChange => ({
  _tag: "AddLearner",
  nodeId: Build.id(name),
  address: `memory:${name}`,
  ...(autoPromote === undefined ? undefined : { autoPromote })
})
const promote = (name: string): MembershipChange => ({ _tag: "Promote", nodeId: Build.id(name) })
const demote = (name: string): MembershipChange => ({ _tag: "Demote", nodeId: Build.id(name) })
const remove = (name: string): MembershipChange => ({ _tag: "Remove", nodeId: Build.id(name) })
const replace = (...names: ReadonlyArray<string>): MembershipChange => ({
  _tag: "ReplaceVoters",
  voters: names.map(Build.id)
})
const move = (name: string, address: string): MembershipChange => ({
  _tag: "Move",
  nodeId: Build.id(name),
  address
})

/** The peers acknowledge the whole log. */
const agree = (node: Subject, ...peers: ReadonlyArray<string>): Subject => {
  for (const peer of peers) {
    const { log, currentTerm } = node.state
    node.receives(peer, Build.accepted({ term: currentTerm, match: log.lastIndex }))
  }
  return node
}

/** Leads term 2; its no-op at index 1 is committed, and all other members have it. */
const settled = (given: Partial<Given> = {}): Subject => {
  const node = leader({ term: 2, ...given })
  const others = (given.voters ?? 3) + (given.learners ?? 0)
  return agree(node, ...Array.from({ length: others - 1 }, (_, position) => `n${position + 2}`))
}

describe("a configuration is in force as soon as it is in the log (section 6)", () => {
  it("a leader goes by it at once, and the change is not over yet", () => {
    const node = settled().changes(add("n4"))
    expect(node.members).toBe("n1 n2 n3 | n4")
    expect(node.actionsOf("MembershipAppended")).toMatchObject([{ requestId: 1, index: 2, term: 2 }])
    expect(node.actionsOf("MembershipSettled")).toEqual([])
  })

  it("is over when it is committed", () => {
    const node = settled()
      .changes(add("n4"))
      .receives("n2", Build.accepted({ term: 2, match: 2 }))
    expect(node.actionsOf("MembershipSettled")).toMatchObject([{ index: 2 }])
  })

  it("the leader knows nothing of the new member and begins to send it the log", () => {
    const node = settled().changes(add("n4"))
    expect(node.progress("n4")).toMatchObject({ mode: "Probe", matchIndex: 0, nextIndex: 3 })
    expect(node.replicatesTo("n4")).toHaveLength(1)
  })

  it("one that was a member before is as unknown as any other: its disk may be another one", () => {
    const node = agree(agree(settled({ learners: 1 }).changes(remove("n4")), "n2").changes(add("n4")), "n2")
    expect(node.progress("n4")).toMatchObject({ mode: "Probe", matchIndex: 0 })
  })

  it("a follower goes by it before it hears that it is committed", () => {
    const four = Build.configuration({ index: 1, term: 2 }, Build.membership({ voters: 4 }))
    const node = follower({ term: 2 }).receives(
      "n2",
      Build.appendEntries({ term: 2, prev: Build.start, blocks: [four] })
    )
    expect([node.members, node.state.commitIndex]).toEqual(["n1 n2 n3 n4", 0])
  })

  it("the majority is counted by the new set from its own entry on", () => {
    const node = settled({ learners: 1 }).changes(promote("n4"))
    node.receives("n2", Build.accepted({ term: 2, match: 2 }))
    expect(node.state.commitIndex).toBe(1)
    node.receives("n4", Build.accepted({ term: 2, match: 2 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("is in force again after a restart", () => {
    const node = settled().changes(add("n4")).crashesAndRestarts()
    expect(node.members).toBe("n1 n2 n3 | n4")
  })

  it("without being durable it is not", () => {
    const node = settled().withSlowDisk().changes(add("n4")).crashesAndRestarts()
    expect(node.members).toBe("n1 n2 n3")
  })
})

describe("B32: a configuration that is cut away restores the one before it", () => {
  const withConfiguration = () =>
    followerOf("n2", { term: 2, log: [1] }).receives(
      "n2",
      Build.appendEntries({
        term: 2,
        prev: { index: 1, term: 1 },
        blocks: [Build.configuration({ index: 2, term: 2 }, Build.membership({ voters: 4 }))]
      })
    )

  it("where it stood at the cut", () => {
    const node = withConfiguration()
    node.receives("n3", Build.appendEntries({ term: 3, prev: { index: 1, term: 1 }, entries: [3] }))
    expect([node.log, node.members]).toEqual([[1, 3], "n1 n2 n3"])
  })

  it("where it stood behind the cut", () => {
    const node = withConfiguration()
    node.receives("n3", Build.appendEntries({ term: 3, prev: Build.start, entries: [3, 3] }))
    expect([node.log, node.members]).toEqual([[3, 3], "n1 n2 n3"])
  })

  it("but not where the cut is behind it", () => {
    const node = withConfiguration()
    node.receives("n2", Build.appendEntries({ term: 2, prev: { index: 2, term: 2 }, entries: [2] }))
    node.receives("n3", Build.appendEntries({ term: 3, prev: { index: 2, term: 2 }, entries: [3] }))
    expect([node.log, node.members]).toEqual([[1, 2, 3], "n1 n2 n3 n4"])
  })

  it("also after a restart", () => {
    const node = withConfiguration().crashesAndRestarts()
    expect(node.members).toBe("n1 n2 n3 n4")
    node.receives("n3", Build.appendEntries({ term: 3, prev: { index: 1, term: 1 }, entries: [3] }))
    expect(node.members).toBe("n1 n2 n3")
  })
})

describe("snapshots carry the configuration of their index (section 7)", () => {
  it("one that is installed brings its own", () => {
    const node = followerOf("n2", { term: 2, log: [1] })
    node.hasReceived("n2", { index: 5, term: 2 }, { membership: Build.membership({ voters: 5 }) })
    expect(node.members).toBe("n1 n2 n3 n4 n5")
  })

  it("the configurations behind it stay in force", () => {
    const node = followerOf("n2", { term: 2, log: [1] })
    const configuration = Build.configuration({ index: 2, term: 2 }, Build.membership({ voters: 4 }))
    node.receives(
      "n2",
      Build.appendEntries({ term: 2, prev: { index: 1, term: 1 }, blocks: [configuration], commit: 0 })
    )
    node.hasReceived("n2", { index: 1, term: 1 }, { membership: Build.membership({ voters: 3 }) })
    expect(node.members).toBe("n1 n2 n3 n4")
  })

  it("a log that the snapshot replaces takes its configurations with it", () => {
    const node = followerOf("n2", { term: 2, log: [1] })
    const configuration = Build.configuration({ index: 2, term: 2 }, Build.membership({ voters: 4 }))
    node.receives(
      "n2",
      Build.appendEntries({ term: 2, prev: { index: 1, term: 1 }, blocks: [configuration] })
    )
    node.hasReceived("n3", { index: 2, term: 3 }, { membership: Build.membership({ voters: 3 }) })
    expect(node.members).toBe("n1 n2 n3")
  })

  it("a log without its beginning remembers what was in force there", () => {
    const node = agree(settled({ config: { snapshotTrailingEntries: 0 } }).changes(add("n4")), "n2")
    node.hasTaken({ index: 2, term: 2 })
    expect([node.base.index, node.members]).toEqual([2, "n1 n2 n3 | n4"])
    expect(node.state.configurations.later).toEqual([])
  })
})

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
