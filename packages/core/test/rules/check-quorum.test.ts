/**
 * A leader that nobody answers (thesis, section 6.2).
 */
import { describe, expect, it } from "vitest"
import * as CheckQuorum from "../../src/consensus/CheckQuorum.ts"
import * as Build from "./Build.ts"
import type { Subject } from "./Harness.ts"
import { follower, leader } from "./Harness.ts"

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

  it("a process that stood still does not hold the pause against its followers", () => {
    const node = leader({ term: 4 }).waits(20).heartbeatDue().waits(5000).heartbeatDue()
    expect(node.role).toBe("Leader")
    // But neither does it help a leader that nobody answers afterwards.
    for (let beat = 0; beat < 5; beat++) node.waits(20).heartbeatDue()
    expect(node.role).toBe("Follower")
  })

  it("nor does a pause make up for the silence before it", () => {
    const node = leader({ term: 4 })
    for (let beat = 0; beat < 3; beat++) node.waits(20).heartbeatDue()
    expect(node.waits(1000).heartbeatDue().role).toBe("Leader")
    expect(node.waits(20).heartbeatDue().role).toBe("Follower")
  })

  it("a heartbeat that rings when the office is lost changes nothing", () => {
    const node = leader({ term: 4 }).withSlowDisk().proposes("a").waits(100).heartbeatDue()
    const { state } = node
    expect(state.role._tag).toBe("Follower")
    expect(node.waits(20).heartbeatDue().state).toBe(state)
  })

  it("tells when a quorum was heard, and a follower when its leader was", () => {
    const node = leader({ term: 4 })
    const elected = node.nowMillis
    expect(CheckQuorum.lastContactMillis(node.waits(30).state, elected + 30)).toBe(elected)
    node.receives("n2", Build.accepted({ term: 4, match: 1 }))
    expect(CheckQuorum.lastContactMillis(node.state, elected + 40)).toBe(elected + 30)
    node.waits(20).receives("n2", Build.appendEntries({ term: 5, prev: Build.start }))
    expect(CheckQuorum.lastContactMillis(node.waits(50).state, elected + 100)).toBe(elected + 50)
    expect(CheckQuorum.lastContactMillis(follower({ term: 4 }).state, 80)).toBe(Number.NEGATIVE_INFINITY)
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

describe("B26: a leader whose own disk hangs", () => {
  /** Beats for `millis` while both peers answer. */
  const leadsFor = (node: Subject, millis: number): Subject => {
    for (let passed = 0; passed < millis && node.role === "Leader"; passed += 20) {
      node.waits(20)
      for (const peer of ["n2", "n3"]) node.receives(peer, Build.accepted({ term: 4, match: 1 }))
      node.heartbeatDue()
    }
    return node
  }

  it("steps down after an election timeout, though a quorum hears its heartbeats", () => {
    const node = leader({ term: 4 }).withSlowDisk().heartbeatDue().proposes("a")
    expect(leadsFor(node, 80).role).toBe("Leader")
    expect(leadsFor(node, 20).role).toBe("Follower")
  })

  it("tells whoever has all that is committed to take over, at once", () => {
    const node = leader({ term: 4 }).withSlowDisk().heartbeatDue().proposes("a")
    leadsFor(node, 80)
    expect(node.sent.filter(([, message]) => message._tag === "TimeoutNow")).toEqual([])
    leadsFor(node, 20)
    expect(node.sent).toEqual([["n2", { _tag: "TimeoutNow", term: 4 }]])
  })

  it("also where CheckQuorum is switched off", () => {
    const node = leader({ term: 4, config: { checkQuorum: false } })
      .withSlowDisk()
      .proposes("a")
    expect(leadsFor(node, 200).role).toBe("Follower")
  })

  it("leads on while the disk is slow and moves", () => {
    const node = leader({ term: 4 }).withSlowDisk()
    for (let write = 0; write < 10; write++) {
      node.proposes("a").proposes("b")
      expect(leadsFor(node, 80).persists(1).role).toBe("Leader")
    }
  })

  it("does not count a pause of the process, and counts what was before it", () => {
    const node = leader({ term: 4 }).withSlowDisk().heartbeatDue().proposes("a")
    expect(leadsFor(node, 60).waits(1000).heartbeatDue().role).toBe("Leader")
    expect(leadsFor(node, 20).role).toBe("Follower")
  })

  it("leads on where it has nothing to write", () => {
    expect(leadsFor(leader({ term: 4 }).withSlowDisk(), 1000).role).toBe("Leader")
  })

  it("counts from when it had something to write, not from the last write", () => {
    const node = leadsFor(leader({ term: 4 }).withSlowDisk(), 1000).proposes("a")
    expect(leadsFor(node, 80).role).toBe("Leader")
  })

  it("alone in its cluster it makes room for nobody", () => {
    const node = leader({ term: 4, voters: 1, learners: 1 }).withSlowDisk().proposes("a")
    expect(node.waits(10_000).heartbeatDue().waits(10_000).heartbeatDue().role).toBe("Leader")
  })

  it("having stepped down it cannot win before its disk writes again", () => {
    const node = leadsFor(leader({ term: 4 }).withSlowDisk().proposes("a"), 200).timesOut()
    node.receives("n2", Build.preVoteReply({ term: 4, requestedTerm: 5, granted: true }))
    expect([node.role, node.requestsTo("n2")]).toEqual(["Candidate", undefined])
    expect(node.persists().requestsTo("n2")).toMatchObject({ _tag: "RequestVote", term: 5 })
  })
})
