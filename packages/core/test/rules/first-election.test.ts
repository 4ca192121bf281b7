/**
 * The first election in the life of a node: who has just started asks as soon as a leader, if there were one,
 * would have spoken (`consensus/FirstElection`).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { follower } from "./Harness.ts"
import type { Given } from "./Harness.ts"

const threeOf = ([first = "", ...others]: ReadonlyArray<string>) =>
  Build.joint({ voters: [first, ...others], outgoing: [] })

/** n1 has started, and by and by is connected with these. */
const starts = (given: Partial<Given>, ...found: ReadonlyArray<string>) => {
  const node = follower({ term: 3, ...given })
  found.forEach((_, at) =>
    node.happens({ _tag: "PeersFound", peers: found.slice(0, at + 1).map((peer) => Build.id(peer)) })
  )
  return node
}

const heartbeat = Build.appendEntries({ term: 3, prev: Build.start })
const heartbeatMillis = 20
const timeoutMillis = 100

describe("who has just started, and is connected with a majority", () => {
  it("waits a heartbeat interval, in which a leader would speak, and asks (thesis, section 9.6)", () => {
    const node = starts({}, "n2")
    expect(node.role).toBe("Follower")
    expect(node.electionDeadlineMillis).toBe(heartbeatMillis)
    node.timesOut()
    expect(node.role).toBe("PreCandidate")
    expect(node.state.currentTerm).toBe(3)
  })

  it("follows a leader that speaks meanwhile", () => {
    const node = starts({}, "n2", "n3").waits(heartbeatMillis - 1)
    node.receives("n2", heartbeat).waits(1).happens({ _tag: "ElectionDue" })
    expect(node.role).toBe("Follower")
    expect(node.electionDeadlineMillis).toBeGreaterThanOrEqual(timeoutMillis)
  })

  it("stands after those whose names come first, of those who are there", () => {
    const membership = threeOf(["n0", "n1", "n2"])
    expect(starts({ membership }, "n2").electionDeadlineMillis).toBe(heartbeatMillis)
    expect(starts({ membership }, "n0").electionDeadlineMillis).toBe(heartbeatMillis * 1.2)
  })

  it("goes by the first majority: who comes later puts nothing off", () => {
    const node = starts({}, "n2")
      .waits(10)
      .happens({
        _tag: "PeersFound",
        peers: [Build.id("n2"), Build.id("n3")]
      })
    expect(node.electionDeadlineMillis).toBe(heartbeatMillis)
  })
})

describe("who is a majority by itself", () => {
  const alone: Given = { term: 3, voters: 1, log: [1, 3], committed: 1 }
  const deadline = (given: Partial<Given>) => follower({ ...alone, ...given }).electionDeadlineMillis

  it("stands at once when it starts again, and leads with its own vote", () => {
    const node = follower(alone)
    expect(node.electionDeadlineMillis).toBe(0)
    node.timesOut()
    expect([node.role, node.state.currentTerm]).toEqual(["Leader", 4])
  })

  it.each<[string, Partial<Given>]>([
    ["whoever learns from it", { learners: 2 }],
    [
      "in both of two sets (paper, section 6)",
      { membership: Build.joint({ voters: ["n1"], outgoing: ["n1"] }) }
    ],
    [
      "without pre-votes and CheckQuorum: there is nobody to disturb",
      { config: { preVote: false, checkQuorum: false } }
    ],
    ["from a snapshot", { snapshot: { index: 5, term: 2 }, log: [], committed: 5 }]
  ])("%s", (_, given) => {
    expect(deadline(given)).toBe(0)
  })

  it.each<[string, Partial<Given>]>([
    ["with leases: it may have promised something (thesis, section 6.4.1)", { config: { leaseReads: true } }],
    ["on a store in which nothing is committed: that may be another than it had", { committed: 0 }],
    ["where it is one of two", { voters: 2 }],
    ["where it has no vote", { membership: threeOf(["n2"]) }],
    ["in one of two sets only", { membership: Build.joint({ voters: ["n1"], outgoing: ["n1", "n2", "n3"] }) }]
  ])("waits for a timeout %s", (_, given) => {
    expect(deadline(given)).toBe(timeoutMillis)
  })

  it("waits while that is not committed: its leader may be there (thesis, section 4.2.2)", () => {
    const node = follower({ term: 3, voters: 2, log: [1, 3], committed: 2 })
    const only = Build.configuration({ index: 3, term: 3 }, Build.membership({ voters: 1 }))
    const append = Build.appendEntries({ term: 3, prev: { index: 2, term: 3 }, blocks: [only] })
    expect(node.receives("n2", append).crashesAndRestarts().electionDeadlineMillis).toBe(timeoutMillis)
    // What is written next tells how far it is.
    for (const at of [3, 4])
      node.receives(
        "n2",
        Build.appendEntries({ term: 3, prev: { index: at, term: 3 }, commit: 3, entries: [3] })
      )
    expect(node.crashesAndRestarts().electionDeadlineMillis).toBe(0)
  })
})

describe("it waits as ever", () => {
  const asEver = timeoutMillis

  it.each<[string, Partial<Given>, ReadonlyArray<string>]>([
    ["while it is connected with fewer than a majority", { voters: 5 }, ["n2"]],
    ["while those are no voters", { voters: 3, learners: 1 }, ["n4"]],
    [
      "while two sets must agree, and one of them is missing (paper, section 6)",
      { membership: Build.joint({ voters: ["n1", "n2", "n3"], outgoing: ["n1", "n4", "n5"] }) },
      ["n2", "n3"]
    ],
    ["where it is no voter itself", { membership: threeOf(["n2", "n3"]) }, ["n2", "n3"]],
    ["without pre-votes, for it would disturb", { config: { preVote: false } }, ["n2", "n3"]],
    ["where nobody protects a leader", { config: { checkQuorum: false } }, ["n2", "n3"]],
    [
      "with leases, for it may have promised something before (thesis, section 6.4.1)",
      { config: { leaseReads: true } },
      ["n2", "n3"]
    ]
  ])("%s", (_, given, found) => {
    expect(starts(given, ...found).electionDeadlineMillis).toBe(asEver)
  })

  it("when it has heard a leader in this life", () => {
    const node = starts({}).receives("n2", heartbeat)
    const { electionDeadlineMillis } = node
    node.happens({ _tag: "PeersFound", peers: [Build.id("n2"), Build.id("n3")] })
    expect(node.electionDeadlineMillis).toBe(electionDeadlineMillis)
    // Nor once it has lost that one.
    node
      .happens({ _tag: "PeerLost", peer: Build.id("n2") })
      .timesOut()
      .timesOut()
    const before = node.state
    expect(node.happens({ _tag: "PeersFound", peers: [Build.id("n2"), Build.id("n3")] }).state).toBe(before)
  })

  it("when it has voted in this life: the candidate has its try (paper, section 5.2)", () => {
    const node = starts({})
      .waits(10)
      .receives("n2", Build.requestVote({ term: 4, last: Build.start }))
    expect(node.state.votedFor).toBe("n2")
    node.happens({ _tag: "PeersFound", peers: [Build.id("n2"), Build.id("n3")] })
    expect(node.electionDeadlineMillis).toBe(10 + timeoutMillis)
  })

  it("where its timer rings sooner", () => {
    const node = starts({}).waits(timeoutMillis - 5)
    expect(node.happens({ _tag: "PeersFound", peers: [Build.id("n2")] }).electionDeadlineMillis).toBe(
      timeoutMillis
    )
  })
})
