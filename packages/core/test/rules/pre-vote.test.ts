/**
 * Pre-votes: ask before you disturb (thesis, section 9.6).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { candidate, follower, followerOf, leader, preCandidate } from "./Harness.ts"

const ask = (term: number, log: ReadonlyArray<number> = []) =>
  Build.preVote({ term, last: { index: log.length, term: log[log.length - 1] ?? 0 } })

const granted = (options: { readonly by: number; readonly requestedTerm: number }) =>
  Build.preVoteReply({ term: options.by, requestedTerm: options.requestedTerm, granted: true })

const refused = (options: { readonly by: number; readonly requestedTerm: number }) =>
  Build.preVoteReply({ term: options.by, requestedTerm: options.requestedTerm, granted: false })

/** One comes before n1 by name, and one after it. */
const rivals = Build.joint({ voters: ["n0", "n1", "n2"], outgoing: [] })

describe("B22: a pre-vote changes nothing", () => {
  it("neither term nor vote of the one who asks", () => {
    const node = follower({ term: 3, votedFor: "n2" }).timesOut()
    expect(node.role).toBe("PreCandidate")
    expect(node.state.currentTerm).toBe(3)
    expect(node.state.votedFor).toBe("n2")
    expect(node.actionsOf("Persist")).toEqual([])
    expect(node.requestsTo("n2")).toEqual(ask(4))
  })

  it.each([
    ["follower", follower],
    ["pre-candidate", preCandidate],
    ["candidate", candidate],
    ["leader", leader]
  ])("neither term nor vote nor role of a %s that is asked, whatever the term", (_, make) => {
    for (const term of [1, 3, 4, 1000]) {
      const node = make({ term: 3 })
      const before = node.state
      expect(node.receives("n2", ask(term, [3, 3, 3])).state).toBe(before)
      expect(node.actionsOf("Persist")).toEqual([])
    }
  })

  it("its answer is never counted as a vote", () => {
    const node = candidate({ term: 4 }).receives("n2", granted({ by: 3, requestedTerm: 4 }))
    node
      .receives("n2", granted({ by: 4, requestedTerm: 5 }))
      .receives("n3", granted({ by: 4, requestedTerm: 5 }))
    expect(node.role).toBe("Candidate")
  })

  it("nor a vote as a pre-vote", () => {
    const node = preCandidate({ term: 3 }).receives("n2", Build.voteReply({ term: 3, granted: true }))
    expect(node.role).toBe("PreCandidate")
  })
})

describe("who grants (thesis, section 9.6)", () => {
  it.each([
    { mine: [1, 1], other: [1, 1], grants: true },
    { mine: [1, 1], other: [1], grants: false },
    { mine: [1, 2], other: [1, 1, 1], grants: false },
    { mine: [1, 1, 1], other: [2], grants: true }
  ])("$mine grants $other: $grants (section 5.4.1)", ({ mine, other, grants }) => {
    const node = follower({ term: 3, log: mine }).receives("n2", ask(4, other))
    expect(node.sent).toEqual([["n2", Build.preVoteReply({ term: 3, requestedTerm: 4, granted: grants })]])
  })

  it("only for a term above the own; the answer tells the own term", () => {
    const node = follower({ term: 5 }).receives("n2", ask(5))
    expect(node.sent).toEqual([["n2", refused({ by: 5, requestedTerm: 5 })]])
  })

  it("to several at once: it is no vote", () => {
    const node = follower({ term: 3, votedFor: "n4" })
    for (const other of ["n2", "n3"]) {
      expect(node.receives(other, ask(4)).sent).toEqual([[other, granted({ by: 3, requestedTerm: 4 })]])
    }
  })

  it("nobody who hears a leader (B21)", () => {
    const node = followerOf("n2", { term: 3 }).waits(99).receives("n3", ask(4))
    expect(node.sent).toEqual([["n3", refused({ by: 3, requestedTerm: 4 })]])
    node.waits(1).receives("n3", ask(4))
    expect(node.sent).toEqual([["n3", granted({ by: 3, requestedTerm: 4 })]])
  })

  it("no leader whom a quorum answers (B21)", () => {
    const node = leader({ term: 3 })
      .waits(99)
      .receives("n3", ask(4, [3, 3]))
    expect(node.sent).toEqual([["n3", refused({ by: 3, requestedTerm: 4 })]])
    expect(node.role).toBe("Leader")
  })
})

describe("who grants one lets the other go first", () => {
  // The turns are of 20 ms, and of the three n1 is the second.
  const hearsNothing = () =>
    followerOf("n2", { term: 3, membership: rivals }).waits(100).receives("n0", ask(4))

  it("and counts its own turn from then on", () => {
    const node = hearsNothing()
    expect(node.sent).toEqual([["n0", granted({ by: 3, requestedTerm: 4 })]])
    expect(node.electionDeadlineMillis).toBe(100 + 40)
  })

  it("but not for ever, however often it is asked: perhaps its answers are lost", () => {
    const node = hearsNothing()
    for (let asked = 0; asked < 50; asked++) node.waits(5).receives("n0", ask(4))
    expect(node.electionDeadlineMillis).toBe(200)
    expect(node.timesOut().role).toBe("PreCandidate")
  })

  it("who refuses one does not wait for it", () => {
    const node = followerOf("n2", { term: 3, log: [3], membership: rivals }).waits(100)
    const before = node.state
    expect(node.receives("n0", ask(4)).state).toBe(before)
  })
})

describe("who goes on", () => {
  it("a majority, itself included, makes it a candidate of the next term", () => {
    const node = preCandidate({ term: 3, voters: 5 }).receives("n2", granted({ by: 3, requestedTerm: 4 }))
    expect(node.role).toBe("PreCandidate")
    node.receives("n3", granted({ by: 3, requestedTerm: 4 }))
    expect([node.role, node.state.currentTerm, node.state.votedFor]).toEqual(["Candidate", 4, "n1"])
  })

  it("answers to a question of an earlier term do not count", () => {
    const node = preCandidate({ term: 3 }).receives("n2", granted({ by: 3, requestedTerm: 3 }))
    expect(node.role).toBe("PreCandidate")
  })

  it("a refusal is asked again, because it says only that the peer still hears a leader", () => {
    const node = preCandidate({ term: 3 }).receives("n2", refused({ by: 3, requestedTerm: 4 }))
    expect(node.requestsTo("n2")).toEqual(ask(4))
    node.receives("n3", granted({ by: 3, requestedTerm: 4 }))
    expect(node.role).toBe("Candidate")
  })

  it("a refusal from a higher term moves the asker there (etcd issue 8501)", () => {
    const node = preCandidate({ term: 3 }).receives("n2", refused({ by: 9, requestedTerm: 4 }))
    expect([node.role, node.state.currentTerm]).toEqual(["Follower", 9])
  })

  it("a voter that is behind in terms may grant: its answer counts", () => {
    // n1 won pre-votes and began term 6, but its requests for votes were lost: n2 and n3 are still in term 5.
    const node = candidate({ term: 6 }).timesOut()
    expect(node.requestsTo("n2")).toEqual(ask(7))
    node.receives("n2", granted({ by: 5, requestedTerm: 7 }))
    expect([node.role, node.state.currentTerm]).toEqual(["Candidate", 7])
  })

  it("B21: a node that comes back hears the leader and follows it, in the leader's term", () => {
    const node = preCandidate({ term: 3, log: [1] })
      .waits(10_000)
      .timesOut()
      .timesOut()
    expect(node.state.currentTerm).toBe(3)
    node.receives("n2", Build.appendEntries({ term: 3, prev: { index: 1, term: 1 }, entries: [3] }))
    expect(node.state.role).toMatchObject({ _tag: "Follower", leader: "n2" })
    expect(node.log).toEqual([1, 3])
  })

  it("B24: one that can only send, or only receive, never raises its term", () => {
    const node = follower({ term: 3 })
    for (let round = 0; round < 100; round++) node.timesOut()
    expect([node.role, node.state.currentTerm]).toEqual(["PreCandidate", 3])
  })

  it("B21: a pre-candidate protects nobody, so two that lost their leader elect one", () => {
    const node = preCandidate({ term: 3, membership: rivals }).receives("n0", ask(4))
    expect(node.sent).toEqual([["n0", granted({ by: 3, requestedTerm: 4 })]])
  })

  it("of two that stand at once with equal logs the first by name goes before, so they do not split the vote", () => {
    const node = preCandidate({ term: 3, log: [3], membership: rivals })
    expect(node.receives("n2", ask(4, [3])).sent).toEqual([["n2", refused({ by: 3, requestedTerm: 4 })]])
    expect(node.receives("n0", ask(4, [3])).sent).toEqual([["n0", granted({ by: 3, requestedTerm: 4 })]])
  })

  it("but not before one whose log is ahead, nor for longer than one try: perhaps nobody hears it", () => {
    const node = preCandidate({ term: 3, log: [3], membership: rivals })
    expect(node.receives("n2", ask(4, [3, 3])).sent).toEqual([["n2", granted({ by: 3, requestedTerm: 4 })]])
    node.timesOut().receives("n2", ask(4, [3]))
    expect(node.sent).toEqual([["n2", granted({ by: 3, requestedTerm: 4 })]])
  })

  it("nor before one whose last term is higher, however long the own log is (section 5.4.1)", () => {
    for (const last of [
      { index: 2, term: 2 },
      { index: 1, term: 2 }
    ]) {
      const node = preCandidate({ term: 3, log: [1, 1] }).receives("n2", Build.preVote({ term: 4, last }))
      expect(node.sent).toEqual([["n2", granted({ by: 3, requestedTerm: 4 })]])
    }
  })

  it("one that has voted in its term follows, and gives the candidate its try (section 5.2)", () => {
    const node = preCandidate({ term: 3, config: { electionTimeoutMillis: 100 } }).waits(50)
    node.receives("n2", Build.requestVote({ term: 3, last: Build.start }))
    expect([node.role, node.state.votedFor]).toEqual(["Follower", "n2"])
    expect(node.electionDeadlineMillis).toBe(node.nowMillis + 100)
  })

  it("a single voter needs to ask nobody", () => {
    expect(follower({ term: 3, voters: 1 }).timesOut().role).toBe("Leader")
  })
})
