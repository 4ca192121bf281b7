/**
 * How much of its log a node lets go when it has taken a snapshot (paper, section 7). The window for those who
 * are a little behind is in the tests of snapshots.
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import type { Subject } from "./Harness.ts"
import { index, leader } from "./Harness.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })

const noWindow = { snapshotTrailingEntries: 0, snapshotTrailingBytes: 0 }

/**
 * Leads term 3 after a snapshot at 5, with the entries 6, 7 and its no-op 8, all committed by n3's help; n2 has
 * none of it.
 */
const leading = (): Subject => {
  const node = leader({ term: 3, snapshot: at(5, 1), log: [2, 2], config: noWindow })
  node.replicatesTo("n2")
  node.receives("n2", Build.rejected({ term: 3, prev: 7, conflict: at(2, 0) }))
  node.replicatesTo("n3")
  return node.receives("n3", Build.accepted({ term: 3, match: 8 }))
}

const former = Build.snapshot(at(5, 1))

/** n2 has so much of the snapshot at 5. */
const sending = (offset = 40): Subject =>
  leading().receives("n2", Build.installReply({ term: 3, snapshotId: former.id, offset }))

/** n2 has all of it. */
const installed = (): Subject =>
  sending().receives("n2", Build.installReply({ term: 3, snapshotId: former.id, match: 5 }))

describe("a leader that has taken the next snapshot keeps the log", () => {
  it("after the one that a follower is being sent", () => {
    const node = sending().hasTaken(at(8, 3))
    expect([node.base, node.log]).toEqual([at(5, 1), [2, 2, 3]])
    node.receives("n2", Build.installReply({ term: 3, snapshotId: former.id, match: 5 }))
    expect(node.needsSnapshot("n2")).toBe(false)
    expect(node.replicatesTo("n2")).toMatchObject([{ prevLogIndex: 5 }])
  })

  it("after the one that is on its way to a follower that has not answered yet", () => {
    expect(leading().hasTaken(at(8, 3)).base).toEqual(at(5, 1))
  })

  it("for a follower that has installed one, after what it has acknowledged since", () => {
    expect(installed().hasTaken(at(8, 3)).base).toEqual(at(5, 1))
    const node = installed()
    node.replicatesTo("n2")
    expect(node.receives("n2", Build.accepted({ term: 3, match: 6 })).hasTaken(at(8, 3)).base.index).toBe(6)
  })

  it("for none that has it all, that was sent another snapshot, or needs none", () => {
    const done = installed()
    done.replicatesTo("n2")
    done.receives("n2", Build.accepted({ term: 3, match: 8 }))
    const other = leading().receives("n2", Build.installReply({ term: 3, snapshotId: "n3-4", offset: 40 }))
    const near = leader({ term: 3, snapshot: at(5, 1), log: [2, 2], config: noWindow })
    near.replicatesTo("n3")
    near.receives("n3", Build.accepted({ term: 3, match: 8 }))
    near.receives("n2", Build.rejected({ term: 3, prev: 7, conflict: at(6, 0) }))
    expect([done, other, near].map((node) => node.hasTaken(at(8, 3)).base.index)).toEqual([8, 8, 8])
  })

  it("for none that is silent for an election timeout, or whose connection broke", () => {
    const silent = sending()
      .waits(100)
      .receives("n3", Build.accepted({ term: 3, match: 8 }))
    const lost = sending().happens({ _tag: "PeerLost", peer: Build.id("n2") })
    expect([silent, lost].map((node) => node.hasTaken(at(8, 3)).base.index)).toEqual([8, 8])
  })

  it("no further back than to the former snapshot, so that it stays bounded", () => {
    const node = sending().hasTaken(at(8, 3)).proposes("a", "b")
    node.replicatesTo("n3")
    node.receives("n3", Build.accepted({ term: 3, match: 10 }))
    node.receives("n2", Build.installReply({ term: 3, snapshotId: former.id, offset: 50 }))
    expect(node.hasTaken(at(10, 3)).base.index).toBe(index(10))
  })
})
