/**
 * Elections (paper, sections 5.1, 5.2 and 5.4.1; leader stickiness, thesis, section 4.2.3).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { candidate, follower, followerOf, leader, preCandidate } from "./Harness.ts"

const withoutPreVote = { config: { preVote: false } }

const threeOf = (voters: ReadonlyArray<string>) => Build.joint({ voters, outgoing: [] })

describe("terms (section 5.1)", () => {
  it("a node starts as a follower of nobody, with the term and vote of its disk", () => {
    const node = follower({ term: 7, votedFor: "n2", log: [1, 7] })
    expect(node.role).toBe("Follower")
    expect(node.state.currentTerm).toBe(7)
    expect(node.state.votedFor).toBe("n2")
    expect(node.state.commitIndex).toBe(0)
  })

  it.each([
    ["follower", follower],
    ["pre-candidate", preCandidate],
    ["candidate", candidate],
    ["leader", leader]
  ])("a %s that hears of a higher term becomes a follower in it, and its vote is free", (_, make) => {
    const node = make({ term: 3 }).receives("n2", Build.accepted({ term: 9, match: 0 }))
    expect(node.role).toBe("Follower")
    expect(node.state.currentTerm).toBe(9)
    expect(node.state.votedFor).toBe(null)
    expect(node.actionsOf("Persist").map((write) => write.hardState)).toEqual([
      { currentTerm: 9, votedFor: null }
    ])
  })

  it("requests of an old term are refused with the present one", () => {
    const node = follower({ term: 5, log: [1] })
    node.receives("n2", Build.requestVote({ term: 4, last: { index: 9, term: 4 } }))
    expect(node.sent).toEqual([["n2", Build.staleTerm(5)]])
    node.receives("n2", Build.appendEntries({ term: 4, prev: Build.start, entries: [4, 4] }))
    expect(node.sent).toEqual([["n2", Build.staleTerm(5)]])
    expect(node.log).toEqual([1])
    expect(node.electionDeadlineMillis).toBe(100)
  })

  it("replies of an old term change nothing", () => {
    const node = candidate({ term: 5 })
    const before = node.state
    node.receives("n2", Build.voteReply({ term: 4, granted: true }))
    expect(node.state).toBe(before)
  })
})

describe("standing for election (section 5.2)", () => {
  it("a follower that hears nothing for a timeout increments its term, votes for itself and asks all", () => {
    const node = follower({ term: 3, log: [1, 3], ...withoutPreVote }).timesOut()
    expect(node.role).toBe("Candidate")
    expect(node.state.currentTerm).toBe(4)
    expect(node.state.votedFor).toBe("n1")
    expect(node.requestsTo("n2")).toEqual(Build.requestVote({ term: 4, last: { index: 2, term: 3 } }))
    expect(node.requestsTo("n3")).toEqual(Build.requestVote({ term: 4, last: { index: 2, term: 3 } }))
  })

  it("the timeout of one who hears nobody is drawn anew each time, from [t, 2t)", () => {
    const node = follower({ term: 3 })
    expect(node.electionDeadlineMillis).toBe(100)
    node.jitter = 0.5
    node.timesOut()
    expect(node.electionDeadlineMillis).toBe(100 + 150)
    node.jitter = 0.99
    node.timesOut()
    expect(node.electionDeadlineMillis).toBe(250 + 199)
  })

  it("followers of a leader stand one after the other, each in the first half of a turn of its own", () => {
    // Of seven voters n1 comes third by name, and second where one before it leads.
    const membership = threeOf(["n00", "n01", "n1", "n2", "n3", "n4", "n5"])
    for (const { lead, turn } of [
      { lead: "n00", turn: 1 },
      { lead: "n5", turn: 2 }
    ]) {
      const node = follower({ term: 3, membership, config: { heartbeatIntervalMillis: 10 } })
      for (const [jitter, part] of [
        [0, 0],
        [0.99, 4]
      ] as const) {
        node.jitter = jitter
        node.receives(lead, Build.appendEntries({ term: 3, prev: Build.start }))
        expect(node.electionDeadlineMillis, lead).toBe(100 + turn * 10 + part)
      }
    }
  })

  it("all turns fit into [t, 2t), however many vote", () => {
    const voters = Array.from({ length: 40 }, (_, at) => `m${10 + at}`)
    const node = follower({ term: 3, membership: threeOf([...voters, "n1"]) })
    node.jitter = 0.99
    node.receives("m10", Build.appendEntries({ term: 3, prev: Build.start }))
    expect(node.electionDeadlineMillis).toBeGreaterThan(190)
    expect(node.electionDeadlineMillis).toBeLessThan(200)
  })

  it("a timer that rings too early, because the deadline has moved, starts nothing", () => {
    const node = followerOf("n2", { term: 3 }).waits(99)
    const before = node.state
    expect(node.happens({ _tag: "ElectionDue" }).state).toBe(before)
  })

  it("a heartbeat of the leader puts the candidacy off; one of an old term does not", () => {
    const node = followerOf("n2", { term: 3 }).waits(50)
    node.receives("n2", Build.appendEntries({ term: 3, prev: Build.start }))
    expect(node.electionDeadlineMillis).toBe(150)
    node.waits(50).receives("n3", Build.appendEntries({ term: 2, prev: Build.start }))
    expect(node.electionDeadlineMillis).toBe(150)
  })

  it("a majority of votes wins, and not one less (B11)", () => {
    for (const [voters, others] of [
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
      [6, 3],
      [7, 3]
    ] as const) {
      const node = candidate({ term: 4, voters })
      for (let peer = 2; peer < 1 + others; peer++) {
        node.receives(`n${peer}`, Build.voteReply({ term: 4, granted: true }))
      }
      // The same vote twice is one vote.
      if (others > 1) node.receives("n2", Build.voteReply({ term: 4, granted: true }))
      expect(node.role, `${voters} voters, ${others} votes`).toBe("Candidate")
      node.receives(`n${1 + others}`, Build.voteReply({ term: 4, granted: true }))
      expect(node.role, `${voters} voters, ${others + 1} votes`).toBe("Leader")
    }
  })

  it("a single voter elects itself as soon as its vote is durable", () => {
    const node = follower({ term: 3, log: [3], voters: 1 })
      .withSlowDisk()
      .timesOut()
    expect(node.role).toBe("Candidate")
    node.persists()
    expect(node.role).toBe("Leader")
    expect(node.log).toEqual([3, 4])
  })

  it("votes of learners and strangers do not count (B08)", () => {
    const node = candidate({ term: 4, learners: 2 })
    for (const other of ["n4", "n5", "stranger"]) {
      node.receives(other, Build.voteReply({ term: 4, granted: true }))
    }
    expect(node.role).toBe("Candidate")
  })

  it("in a joint membership both sets must agree (section 6)", () => {
    const node = follower({
      term: 3,
      membership: Build.joint({ voters: ["n1", "n2", "n3"], outgoing: ["n1", "n4", "n5"] }),
      ...withoutPreVote
    }).timesOut()
    node.receives("n2", Build.voteReply({ term: 4, granted: true }))
    node.receives("n3", Build.voteReply({ term: 4, granted: true }))
    expect(node.role).toBe("Candidate")
    node.receives("n4", Build.voteReply({ term: 4, granted: true }))
    expect(node.role).toBe("Leader")
  })

  it("a learner never stands", () => {
    const node = follower({ term: 3, membership: Build.joint({ voters: ["n2"], outgoing: ["n3"] }) })
    node.timesOut()
    expect(node.role).toBe("Follower")
    expect(node.electionDeadlineMillis).toBe(200)
  })

  it("a split vote ends with a new election in a new term", () => {
    const node = candidate({ term: 4 }).receives("n2", Build.voteReply({ term: 4, granted: false }))
    node.receives("n3", Build.voteReply({ term: 4, granted: false }))
    expect(node.role).toBe("Candidate")
    node.timesOut()
    expect(node.role).toBe("PreCandidate")
    node.receives("n2", Build.preVoteReply({ term: 4, requestedTerm: 5, granted: true }))
    expect([node.role, node.state.currentTerm]).toEqual(["Candidate", 5])
  })

  it("a candidate that hears from the leader of its term follows it", () => {
    const node = candidate({ term: 4 }).receives(
      "n3",
      Build.appendEntries({ term: 4, prev: Build.start, entries: [4] })
    )
    expect(node.state.role).toMatchObject({ _tag: "Follower", leader: "n3" })
    expect(node.state.votedFor).toBe("n1")
    expect(node.sent).toEqual([["n3", Build.accepted({ term: 4, match: 1 })]])
  })

  it("two leaders in one term are noticed (Election Safety)", () => {
    const node = leader({ term: 4 })
    expect(() => node.receives("n2", Build.appendEntries({ term: 4, prev: Build.start }))).toThrow(
      "Election Safety"
    )
  })
})

describe("voting (sections 5.2 and 5.4.1)", () => {
  const ask = (term: number, log: ReadonlyArray<number>) =>
    Build.requestVote({ term, last: { index: log.length, term: log[log.length - 1] ?? 0 } })

  it("first come, first served: one vote in a term, and again for the same candidate", () => {
    const node = follower({ term: 3 }).receives("n2", ask(4, []))
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted: true })]])
    node.receives("n3", ask(4, []))
    expect(node.sent).toEqual([["n3", Build.voteReply({ term: 4, granted: false })]])
    node.receives("n2", ask(4, []))
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted: true })]])
  })

  it("a candidate and a leader have voted for themselves", () => {
    for (const node of [candidate({ term: 4 }), leader({ term: 4 })]) {
      node.receives("n2", ask(4, [3, 3, 3, 3]))
      expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted: false })]])
    }
  })

  it.each([
    { mine: [1, 1], other: [1, 1], granted: true, because: "the logs are the same" },
    { mine: [1, 1], other: [1, 1, 1], granted: true, because: "the other is longer" },
    { mine: [1, 1, 1], other: [1, 1], granted: false, because: "the other is shorter" },
    {
      mine: [1, 1, 1, 1],
      other: [1, 2],
      granted: true,
      because: "the other ends in a later term, though shorter"
    },
    {
      mine: [1, 2],
      other: [1, 1, 1, 1],
      granted: false,
      because: "the other ends in an earlier term, though longer"
    },
    { mine: [], other: [], granted: true, because: "both are empty" },
    { mine: [1], other: [], granted: false, because: "the other is empty" }
  ])("section 5.4.1: $mine votes for $other: $granted, $because", ({ mine, other, granted }) => {
    const node = follower({ term: 3, log: mine }).receives("n2", ask(4, other))
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted })]])
    expect(node.state.votedFor).toBe(granted ? "n2" : null)
  })

  it("a granted vote puts the own candidacy off", () => {
    const node = follower({ term: 3 }).waits(60).receives("n2", ask(4, []))
    expect(node.electionDeadlineMillis).toBe(160)
  })

  it("B25: a refused candidate does not, however high its term", () => {
    const node = follower({ term: 3, log: [3] })
      .waits(60)
      .receives("n2", ask(9, [2, 2]))
    expect(node.state.currentTerm).toBe(9)
    expect(node.electionDeadlineMillis).toBe(100)
  })

  it("B25: a stale candidate at a higher term does not keep the up-to-date one from winning", () => {
    const node = follower({ term: 3, log: [3], ...withoutPreVote })
      .waits(60)
      .receives("n2", ask(9, [2, 2]))
    node.timesOut().receives("n3", Build.voteReply({ term: 10, granted: true }))
    expect([node.role, node.state.currentTerm]).toEqual(["Leader", 10])
  })

  it("a pre-candidate has not voted yet, and may", () => {
    const node = preCandidate({ term: 4 }).receives("n2", ask(4, []))
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted: true })]])
  })
})

describe("leader stickiness (thesis, section 4.2.3)", () => {
  const ask = Build.requestVote({ term: 9, last: { index: 9, term: 8 } })

  it("a candidate is not heard within an election timeout of the leader's last word", () => {
    const node = followerOf("n2", { term: 3 }).waits(99)
    const before = node.state
    node.receives("n3", ask)
    expect(node.state).toBe(before)
    expect(node.sent).toEqual([])
    node.waits(1).receives("n3", ask)
    expect(node.sent).toEqual([["n3", Build.voteReply({ term: 9, granted: true })]])
  })

  it("a leader does not hear it either while a quorum answers, and does once it does not", () => {
    const node = leader({ term: 3 }).waits(99).receives("n3", ask)
    expect(node.role).toBe("Leader")
    node.waits(1).receives("n3", ask)
    expect(node.role).toBe("Follower")
  })

  it("a transfer that the leader wants is heard at once (thesis, section 3.10)", () => {
    const node = followerOf("n2", { term: 3 }).receives("n3", { ...ask, leadershipTransfer: true })
    expect(node.sent).toEqual([["n3", Build.voteReply({ term: 9, granted: true })]])
  })

  it("a leader whose connection broke is no longer protected, and is soon replaced", () => {
    const node = followerOf("n0", { term: 3, membership: threeOf(["n0", "n1", "n2"]) }).waits(10)
    node.happens({ _tag: "PeerLost", peer: Build.id("n0") })
    expect(node.role).toBe("PreCandidate")
    node.receives("n2", ask)
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 9, granted: true })]])
  })

  it("all voters hear of it at once, and stand one after the other", () => {
    const first = followerOf("n2", { term: 3 }).happens({ _tag: "PeerLost", peer: Build.id("n2") })
    expect(first.role).toBe("PreCandidate")
    const membership = threeOf(["n0", "n1", "n2"])
    const second = followerOf("n2", { term: 3, membership })
    second.happens({ _tag: "PeerLost", peer: Build.id("n2") })
    expect(second.role).toBe("Follower")
    expect(second.electionDeadlineMillis).toBe(second.state.config.heartbeatIntervalMillis / 5)
    second.receives("n0", ask)
    expect(second.sent).toEqual([["n0", Build.voteReply({ term: 9, granted: true })]])
  })

  it("another peer's connection breaks: nothing changes", () => {
    const node = followerOf("n2", { term: 3 }).waits(10)
    const before = node.state
    expect(node.happens({ _tag: "PeerLost", peer: Build.id("n3") }).state).toBe(before)
  })

  it("without check quorum nobody is protected, or a leader that only speaks would rule for ever", () => {
    const node = followerOf("n2", { term: 3, config: { checkQuorum: false } }).receives("n3", ask)
    expect(node.sent).toEqual([["n3", Build.voteReply({ term: 9, granted: true })]])
  })
})
