/**
 * What is committed stays so, also over a restart (paper, section 5.4, Leader Completeness): a write tells what is
 * committed by then, and who starts from it need not wait for a leader's word.
 */
import { describe, expect, it } from "vitest"
import * as NodeState from "../../src/consensus/NodeState.ts"
import * as Snapshotting from "../../src/consensus/Snapshotting.ts"
import * as Build from "./Build.ts"
import { follower, followerOf, index, leader, term } from "./Harness.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })
const append = (prev: Build.Place, entries: ReadonlyArray<number>, commit: number) =>
  Build.appendEntries({ term: 3, prev, entries, commit })

describe("a write of entries", () => {
  it("tells what is committed, and nothing that only arrives with them", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1] }).receives("n2", append(at(2, 1), [3], 2))
    expect(node.actionsOf("Persist")).toMatchObject([{ committed: 0 }])
    expect(node.state.commitIndex).toBe(2)
    node.receives("n2", append(at(3, 3), [3], 3))
    expect(node.actionsOf("Persist")).toMatchObject([{ committed: 2 }])
  })

  it("tells nothing of what a leader has and a majority has not", () => {
    const node = leader({ term: 3, log: [1, 1] }).proposes("a")
    expect(node.actionsOf("Persist")).toMatchObject([{ committed: 0 }])
  })

  it("that cuts the log cuts nothing of which it tells", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1, 2, 2] }).receives("n2", append(at(2, 1), [], 2))
    node.receives("n2", append(at(2, 1), [3], 2))
    expect(node.actionsOf("Persist")).toMatchObject([{ truncateFrom: 3, committed: 2 }])
    expect(node.crashesAndRestarts().state.commitIndex).toBe(2)
  })
})

describe("who starts", () => {
  it("knows what its last write told, and no more", () => {
    const node = followerOf("n2", { term: 3 })
      .receives("n2", append(Build.start, [3, 3], 2))
      .receives("n2", append(at(2, 3), [3], 3))
    expect(node.state.commitIndex).toBe(3)
    expect(node.crashesAndRestarts().state.commitIndex).toBe(2)
  })

  it("knows nothing of a write that did not reach the disk", () => {
    const node = followerOf("n2", { term: 3 }).receives("n2", append(Build.start, [3, 3], 2))
    node.withSlowDisk().receives("n2", append(at(2, 3), [3], 3))
    expect(node.crashesAndRestarts(0).state.commitIndex).toBe(0)
  })

  it("knows what its snapshot covers, where that is more", () => {
    const node = follower({ term: 3, snapshot: at(4, 2), log: [3], committed: 2 })
    expect(node.state.commitIndex).toBe(4)
  })

  it("does not start from a snapshot that contradicts it", () => {
    const found = (committed: number) =>
      NodeState.initial({
        self: Build.id("n1"),
        config: Build.config(),
        membership: Build.membership({ voters: 3 }),
        hardState: { currentTerm: term(3), votedFor: null },
        base: Build.logBase(Build.start),
        blocks: Build.blocks([1, 1, 1]),
        committed: index(committed),
        snapshot: Build.snapshot(at(2, 2)),
        firstRequestId: 0,
        stamp: { nowMillis: 0, wallMillis: 0, jitter: 0 }
      })
    expect(Snapshotting.reconcile(found(1), () => {}).commitIndex).toBe(2)
    expect(() => Snapshotting.reconcile(found(3), () => {})).toThrow("which is committed")
  })

  it("lets no leader remove it (State Machine Safety)", () => {
    const node = follower({ term: 3, log: [1, 1, 2], committed: 2 })
    expect(() => node.receives("n2", append(at(1, 1), [3], 0))).toThrow("committed entry at 2")
    // What comes after it may go.
    expect(node.receives("n2", append(at(2, 1), [3], 0)).log).toEqual([1, 1, 3])
  })

  it("does not stand when its removal is committed (thesis, section 4.2.2)", () => {
    const others = Build.joint({ voters: ["n2", "n3"], outgoing: [] })
    const removed = (commit: number) => {
      const node = followerOf("n2", { term: 3 }).receives(
        "n2",
        Build.appendEntries({
          term: 3,
          prev: Build.start,
          blocks: [Build.configuration(at(1, 3), others)],
          commit
        })
      )
      return node
        .receives("n2", append(at(1, 3), [3], commit))
        .crashesAndRestarts()
        .timesOut().role
    }
    expect(removed(0)).toBe("PreCandidate")
    expect(removed(1)).toBe("Follower")
  })
})
