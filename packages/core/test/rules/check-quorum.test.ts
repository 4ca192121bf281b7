/**
 * A leader that nobody answers (thesis, section 6.2).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { leader } from "./Harness.ts"

describe("check quorum (thesis, section 6.2)", () => {
  it("B27: a leader that no quorum has answered for an election timeout steps down, in its term", () => {
    const node = leader({ term: 4 }).waits(99).heartbeatDue()
    expect(node.role).toBe("Leader")
    node.waits(1).heartbeatDue()
    expect(node.state.role).toMatchObject({ _tag: "Follower", leader: null })
    expect([node.state.currentTerm, node.state.votedFor]).toEqual([4, "n1"])
  })

  it("B27: its clients hear of it: reads are refused, and so is the next command", () => {
    const node = leader({ term: 4 }).reads(1).waits(100).heartbeatDue()
    expect(node.actionsOf("ReadsRefused")).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
    node.proposes("a")
    expect(node.actions).toEqual([{ _tag: "ProposalsRefused", because: "NotLeader" }])
  })

  it.each([
    { voters: 3, answering: ["n2"], leads: true },
    { voters: 4, answering: ["n2"], leads: false },
    { voters: 4, answering: ["n2", "n3"], leads: true },
    { voters: 5, answering: ["n2"], leads: false },
    { voters: 5, answering: ["n2", "n3"], leads: true }
  ])("with $answering of $voters voters answering it leads on: $leads", ({ voters, answering, leads }) => {
    const node = leader({ term: 4, voters, learners: 1 }).waits(60)
    for (const peer of [...answering, `n${voters + 1}`])
      node.receives(peer, Build.accepted({ term: 4, match: 0 }))
    node.waits(40).heartbeatDue()
    expect(node.role).toBe(leads ? "Leader" : "Follower")
  })

  it("a refusal is an answer too", () => {
    const node = leader({ term: 4, log: [1] }).waits(60)
    node.receives("n2", Build.rejected({ term: 4, prev: 1, conflict: { index: 1, term: 0 } }))
    expect(node.waits(40).heartbeatDue().role).toBe("Leader")
  })

  it("answers of an earlier term are not", () => {
    const node = leader({ term: 4 })
      .waits(60)
      .receives("n2", Build.accepted({ term: 3, match: 1 }))
    expect(node.waits(40).heartbeatDue().role).toBe("Follower")
  })

  it("a single voter always hears itself", () => {
    const node = leader({ term: 4, voters: 1, learners: 1 }).waits(10_000).heartbeatDue()
    expect(node.role).toBe("Leader")
  })

  it("switched off, the leader leads on whatever happens", () => {
    const node = leader({ term: 4, config: { checkQuorum: false } })
      .waits(10_000)
      .heartbeatDue()
    expect(node.role).toBe("Leader")
  })

  it("B21: having stepped down it protects nobody, and grants the one who wants to replace it", () => {
    const node = leader({ term: 4, config: { preVote: true } })
      .waits(100)
      .heartbeatDue()
    node.receives("n2", Build.preVote({ term: 5, last: { index: 1, term: 4 } }))
    expect(node.sent).toEqual([["n2", Build.preVoteReply({ term: 4, requestedTerm: 5, granted: true })]])
  })

  it("B24: a leader that can only speak lets go, and the others may elect another", () => {
    const node = leader({ term: 4 })
    for (let beat = 0; beat < 5; beat++) node.waits(20).heartbeatDue()
    expect(node.role).toBe("Follower")
    expect(node.replicatesTo("n2")).toEqual([])
  })
})
