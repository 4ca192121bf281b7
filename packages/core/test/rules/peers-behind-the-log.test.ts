/**
 * What a leader says to a peer that needs what its log holds no more (paper, section 7).
 */
import { describe, expect, it } from "vitest"
import * as Snapshotting from "../../src/consensus/Snapshotting.ts"
import * as Build from "./Build.ts"
import type { Subject } from "./Harness.ts"
import { follower, leader } from "./Harness.ts"
import { at, noWindow } from "./Snapshots.ts"

describe("a leader whose log no longer has what a peer needs (section 7)", () => {
  /** Leads term 3 with the entries 6, 7 and its no-op 8; n2 said that its log ends before `firstMissing`. */
  const behind = (firstMissing: number): Subject => {
    const node = leader({ term: 3, snapshot: at(5, 1), log: [2, 2], config: noWindow })
    node.replicatesTo("n2")
    return node.receives("n2", Build.rejected({ term: 3, prev: 7, conflict: at(firstMissing, 0) }))
  }

  it("sends no entries, and needs the snapshot", () => {
    const node = behind(2)
    expect(node.needsSnapshot("n2")).toBe(true)
    expect(node.replicatesTo("n2")).toEqual([])
  })

  it("sends heartbeats meanwhile that claim nothing about the peer's log", () => {
    const node = behind(2).heartbeatDue()
    expect(node.replicatesTo("n2")).toEqual([Build.appendEntries({ term: 3, prev: Build.start, round: 1 })])
    expect(node.replicatesTo("n2")).toEqual([])
  })

  it.each([
    { firstMissing: 5, needs: true },
    { firstMissing: 6, needs: false },
    { firstMissing: 7, needs: false }
  ])("a peer whose log ends before $firstMissing needs it: $needs", ({ firstMissing, needs }) => {
    const node = behind(firstMissing)
    expect(node.needsSnapshot("n2")).toBe(needs)
    if (needs) return
    const [append] = node.replicatesTo("n2")
    expect(append).toMatchObject({ _tag: "AppendEntries", prevLogIndex: firstMissing - 1 })
  })

  it("a peer in the same place needs it no more when its own snapshot proves to reach as far", () => {
    const node = behind(2).heartbeatDue()
    node.replicatesTo("n2")
    node.receives("n2", Build.accepted({ term: 3, match: 5 }))
    expect(node.needsSnapshot("n2")).toBe(false)
    expect(node.replicatesTo("n2")).toMatchObject([{ prevLogIndex: 5 }])
  })

  it("knows how far the peer has got with which snapshot", () => {
    const node = behind(2)
    const [mine, other] = [Build.snapshot(at(5, 1)), Build.snapshot(at(5, 1), { by: "n3" })]
    const acknowledged = (of = mine) => Snapshotting.standingOf(node.state, Build.id("n2"), of)?.offset
    expect(acknowledged()).toBe(0)
    node.receives("n2", Build.installReply({ term: 3, snapshotId: mine.id, offset: 40 }))
    expect([acknowledged(), acknowledged(other)]).toEqual([40, 0])
    node.receives("n2", Build.installReply({ term: 3, snapshotId: mine.id, match: 5 }))
    expect([acknowledged(), node.needsSnapshot("n2")]).toEqual([undefined, false])
    expect(follower({ term: 3 }).state).toSatisfy(
      (state: Subject["state"]) => Snapshotting.standingOf(state, Build.id("n2"), mine) === undefined
    )
  })

  it("goes on with entries when it is installed", () => {
    const node = behind(2).receives("n2", Build.installReply({ term: 3, snapshotId: "n1-5", match: 5 }))
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 5, nextIndex: 6 })
    const [append] = node.replicatesTo("n2")
    expect(append).toMatchObject({ prevLogIndex: 5, prevLogTerm: 1 })
  })

  it("takes an answer for contact (CheckQuorum), of this term and from a member only", () => {
    const answers = (term: number, from: string) => {
      const node = behind(2).waits(60)
      node.receives(from, Build.installReply({ term, snapshotId: "n1-5", offset: 10 }))
      return node.waits(40).heartbeatDue().role
    }
    expect([answers(3, "n2"), answers(2, "n2"), answers(3, "n9")]).toEqual(["Leader", "Follower", "Follower"])
  })

  it("believes nothing beyond its own log", () => {
    const node = behind(2).receives("n2", Build.installReply({ term: 3, snapshotId: "n1-5", match: 100 }))
    expect(node.progress("n2").matchIndex).toBe(8)
  })

  it("finds out the same when it drops entries that are on their way and get lost", () => {
    const node = leader({ term: 3, config: noWindow })
    for (const peer of ["n2", "n3"]) {
      node.replicatesTo(peer)
      node.receives(peer, Build.accepted({ term: 3, match: 1 }))
    }
    node.proposes("a", "b")
    for (const peer of ["n2", "n3"]) node.replicatesTo(peer)
    node.receives("n3", Build.accepted({ term: 3, match: 3 }))
    node.hasTaken(at(3, 3)).proposes("c")
    expect(node.replicatesTo("n2")).toMatchObject([{ prevLogIndex: 3 }])
    node.receives("n2", Build.rejected({ term: 3, prev: 3, conflict: at(2, 0) }))
    expect([node.needsSnapshot("n2"), node.needsSnapshot("n3")]).toEqual([true, false])
  })
})
