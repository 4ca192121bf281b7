/**
 * Whom a leader asks whether it still leads (thesis, section 6.4; decision 35).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { demote } from "./Changes.ts"
import type { Given } from "./Harness.ts"
import { leader } from "./Harness.ts"

type Node = ReturnType<typeof leader>

const heard = (round: number) => Build.accepted({ term: 4, match: 1, round })

/** A leader of five whose no-op is committed, and whose heartbeat these were the first to answer. */
const leaderHeardBy = (quick: ReadonlyArray<string>, given: Omit<Given, "term"> = {}): Node => {
  const node = leader({ voters: 5, ...given, term: 4 })
  for (const peer of ["n2", "n3"]) node.receives(peer, Build.accepted({ term: 4, match: 1 }))
  node.heartbeatDue()
  expect(asked(node)).toEqual(peersOf(node))
  const { round } = roleOf(node)
  for (const peer of quick) node.receives(peer, heard(round))
  asked(node)
  return node
}

const roleOf = ({ state: { role } }: Node) => {
  if (role._tag !== "Leader") throw new Error(`it is a ${role._tag}`)
  return role
}

const peersOf = (node: Node): ReadonlyArray<string> => roleOf(node).progress.peers

/** Who is sent the newest round now. */
const asked = (node: Node): ReadonlyArray<string> => {
  const { round } = roleOf(node)
  return peersOf(node).filter((peer) =>
    node.replicatesTo(peer).some((message) => message._tag === "AppendEntries" && message.round === round)
  )
}

describe("a round for reads", () => {
  it("is asked of everybody, while nobody has answered", () => {
    const node = leader({ term: 4, voters: 5 })
    for (const peer of ["n2", "n3"]) node.receives(peer, Build.accepted({ term: 4, match: 1 }))
    expect(asked(node.reads(1))).toEqual(["n2", "n3", "n4", "n5"])
  })

  it("is asked of as many as make a quorum: those who were the first to answer", () => {
    expect(asked(leaderHeardBy(["n5", "n3"]).reads(1))).toEqual(["n3", "n5"])
    expect(asked(leaderHeardBy(["n4", "n2", "n3", "n5"]).reads(1))).toEqual(["n2", "n4"])
  })

  it("is asked of who was quicker at the next heartbeat, from then on", () => {
    const node = leaderHeardBy(["n2", "n3"]).heartbeatDue()
    asked(node)
    const { round } = roleOf(node)
    for (const peer of ["n5", "n4"]) node.receives(peer, heard(round))
    expect(asked(node.reads(1))).toEqual(["n4", "n5"])
  })

  it("is asked of everybody with the next heartbeat, when somebody is silent", () => {
    const node = leaderHeardBy(["n2", "n3"]).reads(1)
    expect(asked(node)).toEqual(["n2", "n3"])
    expect(asked(node.heartbeatDue())).toEqual(["n2", "n3", "n4", "n5"])
    const { round } = roleOf(node)
    node.receives("n3", heard(round)).receives("n5", heard(round))
    expect(node.actionsOf("ReadsConfirmed")).toHaveLength(1)
  })

  it("is asked of everybody at once, when the connection with one of them breaks", () => {
    const node = leaderHeardBy(["n2", "n3"]).reads(1)
    expect(asked(node)).toEqual(["n2", "n3"])
    node.happens({ _tag: "PeerLost", peer: Build.id("n3") })
    expect(asked(node)).toContain("n4")
    expect(asked(node.reads(2))).toContain("n5")
  })

  it("is not asked of others, when the connection with another breaks", () => {
    const node = leaderHeardBy(["n2", "n3"]).reads(1)
    asked(node)
    node.happens({ _tag: "PeerLost", peer: Build.id("n4") })
    expect(asked(node)).not.toContain("n5")
  })

  it("does for all who wait, also for those whose round was on its way", () => {
    const node = leaderHeardBy(["n4", "n5"]).reads(1)
    node.receives("n2", Build.readIndex({ term: 4, requestId: 7 }))
    // With n2, which asks, n4 would be enough; but the read before it needs both.
    expect(asked(node)).toEqual(["n4", "n5"])
    const other = leaderHeardBy(["n4", "n5"]).receives("n2", Build.readIndex({ term: 4, requestId: 7 }))
    expect(asked(other.reads(1))).toEqual(["n4", "n5"])
  })

  it("a follower's is asked of as many as are a quorum together with it", () => {
    const ask = Build.readIndex({ term: 4, requestId: 7 })
    expect(asked(leaderHeardBy(["n4", "n5"]).receives("n2", ask))).toEqual(["n4"])
    expect(asked(leaderHeardBy(["n4", "n5"]).receives("n4", ask))).toEqual(["n5"])
  })

  it("nor is one that was quick, and whose connection broke, asked for a follower that asks next", () => {
    const node = leaderHeardBy(["n4", "n5"]).happens({ _tag: "PeerLost", peer: Build.id("n4") })
    expect(asked(node.receives("n2", Build.readIndex({ term: 4, requestId: 7 })))).toEqual(["n5"])
  })

  it("B08: learners are not asked, however quick", () => {
    const node = leaderHeardBy(["n6", "n3", "n2"], { learners: 1 })
    expect(asked(node.reads(1))).toEqual(["n2", "n3"])
  })

  it("is asked of everybody, when those who were quick are no quorum any more", () => {
    const node = leaderHeardBy(["n2"], { voters: 3 })
    expect(asked(node.reads(1))).toEqual(["n2"])
    node.changes(demote("n2"))
    asked(node)
    expect(asked(node.reads(2))).toEqual(["n2", "n3"])
  })
})

it("alone among learners a leader counts no rounds of theirs", () => {
  const node = leader({ term: 4, voters: 1, learners: 1 }).heartbeatDue()
  node.receives("n2", heard(roleOf(node).round))
  expect(roleOf(node)).toMatchObject({ answeredRound: 0, quickest: [] })
})

it("an answer to an older round makes nobody quick", () => {
  const node = leaderHeardBy(["n2", "n3"])
  const { quickest, round } = roleOf(node)
  node.receives("n4", heard(round - 1)).receives("n5", heard(round))
  expect(roleOf(node).quickest).toEqual(quickest)
})
