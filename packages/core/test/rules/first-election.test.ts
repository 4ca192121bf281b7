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
