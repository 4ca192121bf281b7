/**
 * Handing the office over (thesis, section 3.10).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import type { Given, Subject } from "./Harness.ts"
import { follower, followerOf, leader } from "./Harness.ts"

const takeOver = (term: number) => ({ _tag: "TimeoutNow", term }) as Parameters<Subject["receives"]>[1]

const transfer = (node: Subject, to?: string) =>
  node.happens({ _tag: "TransferRequested", requestId: 1, to: to === undefined ? null : Build.id(to) })

const accepted = (node: Subject, peer: string, match: number) =>
  node.receives(peer, Build.accepted({ term: 4, match }))

/** Leads term 4; both peers have its no-op, and it is committed. */
const leading = (given: Partial<Given> = {}): Subject => {
  const node = leader({ term: 4, ...given })
  return accepted(accepted(node, "n2", 1), "n3", 1)
}

describe("a leader hands over", () => {
  it("to a voter that has the whole log, at once", () => {
    const node = transfer(leading(), "n3")
    expect(node.actionsOf("TransferBegun")).toMatchObject([{ requestId: 1, to: "n3" }])
    expect(node.sent).toEqual([["n3", { _tag: "TimeoutNow", term: 4 }]])
  })

  it("to one that lags only when it has caught up, and all is committed", () => {
    const node = leading({ voters: 5 }).proposes("a")
    transfer(accepted(node, "n2", 2), "n3")
    expect(node.sent).toEqual([])
    accepted(node, "n3", 2)
    expect(node.sent).toEqual([["n3", { _tag: "TimeoutNow", term: 4 }]])
  })

  it("not before what it took is committed: else its callers were left in doubt", () => {
    const node = leading({ voters: 5 }).proposes("a")
    transfer(accepted(node, "n3", 2), "n3")
    expect([node.sent, node.state.commitIndex]).toEqual([[], 1])
  })

  it("to whoever has most of the log, where nobody is named", () => {
    const node = accepted(leading().proposes("a"), "n3", 2)
    expect(transfer(node).actionsOf("TransferBegun")).toMatchObject([{ to: "n3" }])
  })

  it("asks again with each heartbeat, for the word may be lost", () => {
    const node = transfer(leading(), "n3")
    expect(accepted(node, "n2", 1).sent).toEqual([])
    expect(node.waits(20).heartbeatDue().sent).toEqual([["n3", { _tag: "TimeoutNow", term: 4 }]])
  })

  it("and takes no commands meanwhile", () => {
    const node = transfer(leading(), "n3").proposes("a")
    expect(node.actions).toEqual([{ _tag: "ProposalsRefused", because: "Transferring" }])
    expect(node.state.log.lastIndex).toBe(1)
  })

  it("nor changes of the membership", () => {
    const node = transfer(leading(), "n3").changes({ _tag: "Remove", nodeId: Build.id("n2") })
    expect(node.rejection).toEqual({ _tag: "TransferInProgress", to: "n3" })
  })

  it("leaves when the other asks for its vote, though it heard a quorum a moment ago", () => {
    const node = transfer(leading(), "n3")
    const last = { index: 1, term: 4 }
    node.receives("n3", Build.requestVote({ term: 5, last, leadershipTransfer: true }))
    expect([node.role, node.state.votedFor]).toEqual(["Follower", "n3"])
  })
})

describe("B48: a leader gives up", () => {
  it("within an election timeout, and takes commands again", () => {
    const node = transfer(leading().proposes("a"), "n3")
    for (let beat = 0; beat < 4; beat++) accepted(node.waits(20), "n2", 2).heartbeatDue()
    expect(node.actionsOf("TransferAbandoned")).toEqual([])
    accepted(node.waits(20), "n2", 2).heartbeatDue()
    expect(node.actionsOf("TransferAbandoned")).toMatchObject([{ requestId: 1, to: "n3" }])
    expect(node.proposes("b").actionsOf("ProposalsAppended")).toHaveLength(1)
  })

  it("also when the other has the log and does not move", () => {
    const node = transfer(leading(), "n3")
    for (let beat = 0; beat < 5; beat++) accepted(node.waits(20), "n2", 1).heartbeatDue()
    expect(node.actionsOf("TransferAbandoned")).toHaveLength(1)
  })

  it("and may hand over to another", () => {
    const node = transfer(leading().proposes("a"), "n3")
    for (let beat = 0; beat < 5; beat++) accepted(node.waits(20), "n2", 2).heartbeatDue()
    expect(transfer(node, "n2").actionsOf("TransferBegun")).toMatchObject([{ to: "n2" }])
  })
})

describe("a leader refuses to hand over", () => {
  const because = (node: Subject) => node.actionsOf("TransferRefused")[0]?.because

  it("to itself, to a learner, to a stranger", () => {
    expect(because(transfer(leading(), "n1"))).toBe("AlreadyLeader")
    expect(because(transfer(leading({ learners: 1 }), "n4"))).toBe("NotAVoter")
    expect(because(transfer(leading(), "n9"))).toBe("NotAVoter")
  })

  it("where it hears nobody", () => {
    expect(because(transfer(leading().waits(100)))).toBe("NoSuccessor")
    expect(because(transfer(leader({ term: 4 })))).toBe("NoSuccessor")
    expect(because(transfer(leader({ term: 4, voters: 1 })))).toBe("NoSuccessor")
  })

  it("to one whose connection broke, unless it is named", () => {
    const node = leading()
    for (const peer of ["n2", "n3"]) node.happens({ _tag: "PeerLost", peer: Build.id(peer) })
    expect(because(transfer(node))).toBe("NoSuccessor")
    expect(because(transfer(accepted(node, "n2", 1)))).toBeUndefined()
  })

  it("while it does already, and where it does not lead", () => {
    expect(because(transfer(transfer(leading(), "n3"), "n2"))).toBe("InProgress")
    expect(because(transfer(follower({ term: 4 })))).toBe("NotLeader")
  })
})

describe("who is told to take over", () => {
  it("stands for election at once, without asking first, and says on whose behalf", () => {
    const node = followerOf("n2", { term: 4, log: [4] }).receives("n2", takeOver(4))
    expect([node.role, node.state.currentTerm]).toEqual(["Candidate", 5])
    expect(node.requestsTo("n3")).toMatchObject({ _tag: "RequestVote", leadershipTransfer: true })
  })

  it("asks for votes only when its own is durable", () => {
    const node = followerOf("n2", { term: 4 }).withSlowDisk().receives("n2", takeOver(4))
    expect([node.role, node.requestsTo("n3")]).toEqual(["Candidate", undefined])
  })

  it("does so for nobody but the leader of its term", () => {
    expect(followerOf("n2", { term: 4 }).receives("n3", takeOver(4)).role).toBe("Follower")
    expect(followerOf("n2", { term: 4 }).receives("n2", takeOver(3)).role).toBe("Follower")
    expect(followerOf("n2", { term: 4 }).receives("n2", takeOver(5)).role).toBe("Follower")
  })

  it("does not as a learner", () => {
    const learning = Build.membership({ voters: 3, learners: 0 })
    const node = followerOf("n2", {
      term: 4,
      membership: { ...learning, voters: learning.voters.slice(1), learners: learning.voters.slice(0, 1) }
    })
    expect(node.receives("n2", takeOver(4)).role).toBe("Follower")
  })

  it("says nothing of a transfer when it tries again by itself", () => {
    const node = followerOf("n2", { term: 4, config: { preVote: false } }).receives("n2", takeOver(4))
    expect(node.timesOut().requestsTo("n3")).toMatchObject({ leadershipTransfer: false })
  })
})

describe("B29: a leader that leaves the cluster", () => {
  it("appoints a successor", () => {
    const node = leading().changes({ _tag: "Remove", nodeId: Build.id("n1") })
    accepted(accepted(node, "n2", 2), "n3", 2)
    expect(node.role).toBe("Follower")
    expect(node.sent.map(([, message]) => message)).toEqual([{ _tag: "TimeoutNow", term: 4 }])
  })
})
