/**
 * How much of its log a node lets go when it has taken a snapshot (paper, section 7). The window for those who
 * are a little behind is in the tests of snapshots.
 */
import { describe, expect, it } from "vitest"
import * as LogEntry from "../../src/LogEntry.ts"
import type { RaftConfig } from "../../src/RaftConfig.ts"
import * as Compaction from "../../src/consensus/Compaction.ts"
import * as Progress from "../../src/consensus/Progress.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Build from "./Build.ts"
import type { Subject } from "./Harness.ts"
import { index, leader, term } from "./Harness.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })

const noWindow = { snapshotTrailingEntries: 0, snapshotTrailingBytes: 0 }

/**
 * Leads term 3 after a snapshot at 5, with the entries 6, 7 and its no-op 8, all committed by n3's help; n2 has
 * none of it, nor what is in the snapshot from `firstMissing` on.
 */
const leading = (firstMissing = 2): Subject => {
  const node = leader({ term: 3, snapshot: at(5, 1), log: [2, 2], config: noWindow })
  node.replicatesTo("n2")
  node.receives("n2", Build.rejected({ term: 3, prev: 7, conflict: at(firstMissing, 0) }))
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
    expect(leading(5).hasTaken(at(8, 3)).base).toEqual(at(5, 1))
  })

  it("for a follower that has installed one, after what it has acknowledged since", () => {
    expect(installed().hasTaken(at(8, 3)).base).toEqual(at(5, 1))
    const node = installed()
    node.replicatesTo("n2")
    expect(node.receives("n2", Build.accepted({ term: 3, match: 6 })).hasTaken(at(8, 3)).base.index).toBe(6)
  })

  it("after the former one also for a follower that is sent an older one: it may be there before that is gone", () => {
    const node = leading().receives("n2", Build.installReply({ term: 3, snapshotId: "n3-4", offset: 40 }))
    expect(node.hasTaken(at(8, 3)).base).toEqual(at(5, 1))
  })

  it("for none that has it all, or needs none", () => {
    const done = installed()
    done.replicatesTo("n2")
    done.receives("n2", Build.accepted({ term: 3, match: 8 }))
    const near = leader({ term: 3, snapshot: at(5, 1), log: [2, 2], config: noWindow })
    near.replicatesTo("n3")
    near.receives("n3", Build.accepted({ term: 3, match: 8 }))
    near.receives("n2", Build.rejected({ term: 3, prev: 7, conflict: at(6, 0) }))
    expect([done, near].map((node) => node.hasTaken(at(8, 3)).base.index)).toEqual([8, 8])
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
    expect(node.hasTaken(at(10, 3)).base.index).toBe(index(8))
  })
})

describe("where snapshots are closer together than the largest window is long", () => {
  /** Of 400 KiB each, of term 1. */
  const entryBytes = 400 * 1024
  const payload = new Uint8Array(entryBytes - LogEntry.entryHeaderBytes)
  const last = 20
  const log = RaftLog.fromBlocks(
    Array.from({ length: last }, (_, before) =>
      LogEntry.encodeBlock([{ kind: "Command", payload }], {
        firstIndex: index(before + 1),
        term: term(1),
        timestampMillis: 0
      })
    )
  )
  const stamp = { nowMillis: 50, wallMillis: 50, jitter: 0 }
  const snapshots = { former: Build.snapshot(at(18, 1)), snapshot: Build.snapshot(at(last, 1)) }

  /** What goes where the largest window has eight entries, and n2 stands so; n3 has everything. */
  const dropped = (n2: Partial<Progress.Progress>, config: Partial<RaftConfig> = {}): number => {
    const { state } = leader({
      term: 1,
      config: { snapshotTrailingBytes: 8 * entryBytes, snapshotTrailingEntries: 1000, ...config }
    })
    if (state.role._tag !== "Leader") throw new Error("n1 does not lead")
    const known = Progress.initial({ nextIndex: index(last + 1), nowMillis: 0 })
    const progress = state.role.progress
      .with(Build.id("n2"), { ...known, ...n2 })
      .with(Build.id("n3"), { ...known, mode: "Replicate", matchIndex: index(last) })
    return Compaction.lastToDrop({ ...state, log, role: { ...state.role, progress } }, snapshots, stamp)
  }
  const sent = (matchIndex: number): Partial<Progress.Progress> => ({
    mode: "Replicate",
    matchIndex: index(matchIndex)
  })
  const transfer = { snapshotId: "n1-11-0", offset: 40 }

  it("a window of half a megabyte stays for those of whom nothing is known", () => {
    expect(dropped(sent(last))).toBe(15)
    expect(dropped(sent(0))).toBe(15)
  })

  it("a follower that answers keeps what it lacks, as far back as the largest window", () => {
    expect([14, 13, 12, 11].map((match) => dropped(sent(match)))).toEqual([14, 13, 12, 15])
    expect(dropped(sent(13), { snapshotTrailingEntries: 7 })).toBe(13)
    expect(dropped(sent(13), { snapshotTrailingEntries: 6 })).toBe(15)
  })

  it("one that is sent a snapshot keeps as many bytes, whichever snapshot it is", () => {
    expect(dropped({ transfer })).toBe(12)
    expect(dropped({ transfer, matchIndex: index(11) })).toBe(12)
    expect(dropped({ transfer, matchIndex: index(14) })).toBe(14)
    expect(dropped({ transfer }, { snapshotTrailingEntries: 0 })).toBe(12)
    expect(dropped({ transfer }, { snapshotTrailingBytes: 0 })).toBe(18)
  })

  it("nobody that is silent or lost keeps anything", () => {
    const silent = { contactMillis: -100 }
    const lost = { isLost: true }
    const all = [silent, lost].flatMap((how) => [
      dropped({ ...sent(13), ...how }),
      dropped({ transfer, ...how })
    ])
    expect(all).toEqual([15, 15, 15, 15])
  })
})
