/**
 * A node's own snapshots take the place of its log (paper, section 7), also where a crash came in between.
 */
import { describe, expect, it } from "vitest"
import * as LogEntry from "../../src/LogEntry.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import * as Compaction from "../../src/consensus/Compaction.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Build from "./Build.ts"
import { follower, followerOf, index, term } from "./Harness.ts"
import { at, committed, noWindow } from "./Snapshots.ts"

const stamp = { nowMillis: 0, wallMillis: 0, jitter: 0 }

const megabyte = new Uint8Array(1024 * 1024)

describe("an own snapshot (section 7)", () => {
  it("takes the place of the entries that it covers, and that is written", () => {
    const node = committed({ term: 2, log: [1, 1, 2, 2] }).hasTaken(at(3, 2))
    expect([node.base, node.log]).toEqual([at(3, 2), [2]])
    expect([node.storedBase, node.storedLog]).toEqual([at(3, 2), [2]])
    const [write] = node.actionsOf("Persist")
    expect(write).toMatchObject({ base: at(3, 2), blocks: [], lastIndex: 4 })
    expect(write).not.toHaveProperty("truncateFrom")
  })

  it("changes neither term, vote, role nor commit index, and says nothing to anybody", () => {
    const node = committed({ term: 2, votedFor: "n2", log: [1, 1, 2, 2] })
    const { role, currentTerm, votedFor, commitIndex } = node.state
    node.hasTaken(at(4, 2))
    expect(node.state).toMatchObject({ role, currentTerm, votedFor, commitIndex })
    expect(node.sent).toEqual([])
  })

  it("may cover all there is: the log is empty, and goes on after it", () => {
    const node = committed({ term: 2, log: [1, 2] }).hasTaken(at(2, 2))
    expect([node.base, node.log, node.state.log.lastTerm]).toEqual([at(2, 2), [], 2])
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(2, 2), entries: [2], commit: 3 }))
    expect([node.log, node.state.commitIndex]).toEqual([[2], 3])
    expect(node.sent).toContainEqual(["n2", Build.accepted({ term: 2, match: 3 })])
  })

  it("leaves a window of entries for followers that are a little behind", () => {
    const config = { snapshotTrailingEntries: 2, snapshotTrailingBytes: 1_000_000 }
    const node = committed({ term: 2, log: [1, 1, 1, 1, 1, 1], config }).hasTaken(at(5, 1))
    expect([node.base, node.log]).toEqual([at(3, 1), [1, 1, 1]])
  })

  it("leaves no more bytes than the window has, however few entries that are", () => {
    const log = [1, 1, 1, 1, 1, 1]
    const { state } = committed({ term: 2, log })
    const lastTwo = RaftLog.bytesBetween(state.log, index(4), index(5))
    const withWindow = (snapshotTrailingBytes: number) =>
      committed({ term: 2, log, config: { snapshotTrailingEntries: 1000, snapshotTrailingBytes } }).hasTaken(
        at(5, 1)
      ).base.index
    expect([lastTwo - 1, lastTwo, lastTwo + 1].map(withWindow)).toEqual([4, 3, 3])
    expect([0, 1_000_000].map(withWindow)).toEqual([5, 0])
  })

  it("leaves a window of a quarter of what it covers, where the window may have more", () => {
    const megabytes = (count: number): ReadonlyArray<LogEntry.Draft> =>
      Array.from({ length: count }, () => ({ kind: "Command", payload: megabyte }))
    const keptOf = (count: number, snapshotTrailingBytes: number): number => {
      const config = { snapshotTrailingEntries: 1000, snapshotTrailingBytes }
      const blocks = megabytes(count).map((draft, before) =>
        LogEntry.encodeBlock([draft], { firstIndex: index(before + 1), term: term(1), timestampMillis: 0 })
      )
      const { state } = follower({ term: 1, config })
      const log = RaftLog.fromBlocks(blocks)
      const snapshot = Build.snapshot(at(count, 1))
      const dropped = Compaction.lastToDrop({ ...state, log }, { former: undefined, snapshot }, stamp)
      return RaftLog.bytesBetween(log, LogIndex.plus(dropped, 1), log.lastIndex) / entryBytes
    }
    const entryBytes = LogEntry.encodedBytes(megabyte.byteLength)
    expect([4, 12, 20, 32].map((count) => keptOf(count, 64 * megabyte.byteLength))).toEqual([1, 3, 5, 8])
    expect(keptOf(32, 6 * megabyte.byteLength)).toBe(5)
  })

  it("moves nothing back: a window larger than what is left leaves the log as it is", () => {
    const config = { snapshotTrailingEntries: 3, snapshotTrailingBytes: 1_000_000 }
    const node = committed({ term: 2, snapshot: at(4, 1), log: [1, 1], config }).hasTaken(at(6, 1))
    expect([node.base, node.log]).toEqual([at(4, 1), [1, 1]])
    expect(node.actionsOf("Persist")).toEqual([])
    expect(node.state.snapshot?.lastIndex).toBe(6)
  })

  it("that is not newer than the last one changes nothing", () => {
    const node = committed({ term: 2, log: [1, 1, 1, 1] }).hasTaken(at(3, 1))
    const before = node.state
    node.hasTaken(at(2, 1))
    expect(node.state).toBe(before)
    expect(node.actions).toEqual([])
  })

  it("never covers what is not committed", () => {
    const node = committed({ term: 2, log: [1, 1, 1, 1], commit: 2 })
    expect(() => node.hasTaken(at(3, 1))).toThrow("State Machine Safety")
  })

  it("keeps time in the log from going back: the leader's clock goes on from it", () => {
    const node = follower({ term: 1, config: noWindow })
    node.hasReceived("n2", at(3, 1), { timestampMillis: 5000 })
    node.timesOut()
    node.receives("n2", Build.preVoteReply({ term: 1, requestedTerm: 2, granted: true }))
    node.receives("n2", Build.voteReply({ term: 2, granted: true }))
    expect(node.role).toBe("Leader")
    expect(RaftLog.lastTimestampMillis(node.state.log)).toBe(5000)
  })
})

describe("a start after a crash between a snapshot and the log that begins after it", () => {
  it("begins after the snapshot where the log ends before it", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1] }).withSlowDisk()
    node.hasReceived("n2", at(5, 2)).crashesAndRestarts()
    expect([node.base, node.log, node.state.commitIndex]).toEqual([at(5, 2), [], 5])
    node.persists()
    expect([node.storedBase, node.storedLog]).toEqual([at(5, 2), []])
  })

  it("begins after the snapshot where the log has another entry there", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1, 1, 1] }).withSlowDisk()
    node.hasReceived("n2", at(2, 2)).crashesAndRestarts()
    expect([node.base, node.log]).toEqual([at(2, 2), []])
  })

  it("keeps what follows the same entry", () => {
    const node = followerOf("n2", { term: 3, log: [1, 2, 2, 2] }).withSlowDisk()
    node.hasReceived("n2", at(2, 2)).crashesAndRestarts()
    expect([node.base, node.log, node.state.commitIndex]).toEqual([Build.start, [1, 2, 2, 2], 2])
    expect(node.persists().actions).toEqual([])
  })

  it("keeps the window before an own snapshot", () => {
    const config = { snapshotTrailingEntries: 2, snapshotTrailingBytes: 1_000_000 }
    const node = committed({ term: 2, log: [1, 1, 1, 1, 1], config })
      .hasTaken(at(4, 1))
      .crashesAndRestarts()
    expect([node.base, node.log, node.state.commitIndex]).toEqual([at(2, 1), [1, 1, 1], 4])
  })

  it("may acknowledge the snapshot before the log's beginning is written: it is on disk", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1] }).withSlowDisk()
    node.hasReceived("n2", at(5, 2)).crashesAndRestarts()
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(5, 2) }))
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 3, match: 5 })]])
    expect(node.crashesAndRestarts().state.log.lastIndex).toBe(5)
  })
})
