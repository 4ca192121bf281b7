/**
 * Snapshots and compaction (paper, section 7 and figure 13).
 */
import { describe, expect, it } from "vitest"
import * as LogEntry from "../../src/LogEntry.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import * as Compaction from "../../src/consensus/Compaction.ts"
import * as Snapshotting from "../../src/consensus/Snapshotting.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Build from "./Build.ts"
import type { Given, Subject } from "./Harness.ts"
import { candidate, follower, followerOf, index, leader, term } from "./Harness.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })

/** Nothing stays before a snapshot unless a test wants it. */
const noWindow = { snapshotTrailingEntries: 0, snapshotTrailingBytes: 0 }

/** A follower of n2 that knows its whole log to be committed, up to `commit` if given. */
const committed = (given: Given & { readonly commit?: number }): Subject => {
  const node = followerOf("n2", { config: noWindow, ...given })
  const { lastIndex, lastTerm } = node.state.log
  const prev = at(lastIndex, lastTerm)
  return node.receives(
    "n2",
    Build.appendEntries({ term: given.term, prev, commit: given.commit ?? lastIndex })
  )
}

const stamp = { nowMillis: 0, wallMillis: 0, jitter: 0 }

const megabyte = new Uint8Array(1024 * 1024)

const sentTags = (node: Subject) => node.sent.map(([, message]) => message._tag)

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

describe("a piece of the leader's snapshot (figure 13)", () => {
  it("1: of an earlier term is refused, and the sender learns the term", () => {
    const node = follower({ term: 5, log: [1] })
    node.receives("n2", Build.installSnapshot({ term: 4, last: at(3, 4) }))
    expect(node.actionsOf("KeepSnapshotPiece")).toEqual([])
    expect(node.sent).toEqual([["n2", Build.staleTerm(5)]])
  })

  it("of a later term is the word of that term's leader", () => {
    const node = follower({ term: 5, log: [1] })
    node.receives("n2", Build.installSnapshot({ term: 6, last: at(3, 4) }))
    expect(node.state).toMatchObject({ currentTerm: 6, role: { _tag: "Follower", leader: "n2" } })
    expect(node.actionsOf("KeepSnapshotPiece")).toHaveLength(1)
  })

  it("2 to 4: is kept with the others, and changes neither log nor commit index", () => {
    const node = followerOf("n2", { term: 5, log: [1] })
    const { log, commitIndex } = node.state
    const piece = Build.installSnapshot({ term: 5, last: at(3, 4), sizeBytes: 30, offset: 10, bytes: 10 })
    node.receives("n2", piece)
    expect(node.actionsOf("KeepSnapshotPiece")).toEqual([{ _tag: "KeepSnapshotPiece", from: "n2", piece }])
    expect(node.state).toMatchObject({ log, commitIndex })
    expect(node.actionsOf("Persist")).toEqual([])
  })

  it("is answered with the byte that is wanted next, to the leader of the term and nobody else", () => {
    const { state } = followerOf("n2", { term: 5, log: [1] })
    const reply = (from: string) => Snapshotting.progressReply(state, Build.id(from), "n2-3", 40)
    expect(reply("n2")).toEqual(Build.installReply({ term: 5, snapshotId: "n2-3", offset: 40 }))
    expect(reply("n3")).toBeUndefined()
  })

  it("is not answered in a term that is not on disk yet (figure 2: stable storage before responding)", () => {
    const node = follower({ term: 5, log: [1] }).withSlowDisk()
    node.receives("n2", Build.installSnapshot({ term: 6, last: at(3, 4) }))
    const reply = () => Snapshotting.progressReply(node.state, Build.id("n2"), "n2-3", 40)
    expect(reply()).toBeUndefined()
    node.persists()
    expect(reply()).toEqual(Build.installReply({ term: 6, snapshotId: "n2-3", offset: 40 }))
  })

  it("B40: who receives one does not campaign", () => {
    const node = followerOf("n2", { term: 5 })
    for (let offset = 0; offset < 500; offset += 10) {
      node
        .waits(90)
        .receives("n2", Build.installSnapshot({ term: 5, last: at(3, 4), sizeBytes: 500, offset }))
      node.happens({ _tag: "ElectionDue" })
    }
    expect([node.role, node.state.currentTerm]).toEqual(["Follower", 5])
  })

  it("B40: who stands for election of the same term gives up", () => {
    const node = candidate({ term: 5, log: [1] })
    node.receives("n2", Build.installSnapshot({ term: 5, last: at(3, 4) }))
    expect(node.state.role).toMatchObject({ _tag: "Follower", leader: "n2" })
  })

  it("of what is committed here already is not kept: it is said at once that it is there", () => {
    const node = committed({ term: 2, log: [1, 1, 2, 2] })
    node.receives("n2", Build.installSnapshot({ term: 2, last: at(3, 2), sizeBytes: 500, bytes: 10 }))
    expect(node.actionsOf("KeepSnapshotPiece")).toEqual([])
    const news = { term: 2, snapshotId: "n2-3", offset: 500, match: 3 }
    expect(node.sent).toEqual([["n2", Build.installReply(news)]])
  })

  it("B13: but only what is on disk may be called there", () => {
    const node = committed({ term: 2, log: [1] }).withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 1), entries: [2, 2], commit: 3 }))
    const piece = Build.installSnapshot({ term: 2, last: at(3, 2) })
    expect(node.receives("n2", piece).sent).toEqual([])
    node.persists()
    expect(sentTags(node.receives("n2", piece))).toEqual(["InstallSnapshotReply"])
  })

  it("of a new term is answered only when that term is on disk", () => {
    const node = committed({ term: 2, log: [1, 2] }).withSlowDisk()
    node.receives("n3", Build.installSnapshot({ term: 3, last: at(2, 2) }))
    expect(node.sent).toEqual([])
    expect(sentTags(node.persists())).toEqual(["InstallSnapshotReply"])
  })
})

describe("a whole snapshot of a leader (figure 13)", () => {
  it("7, 8: takes the place of a log that does not reach to it, and of the machine's state", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1, 1] }).hasReceived("n2", at(5, 2))
    expect([node.base, node.log, node.state.commitIndex]).toEqual([at(5, 2), [], 5])
    expect([node.storedBase, node.storedLog]).toEqual([at(5, 2), []])
    expect(node.actionsOf("Persist")).toMatchObject([{ truncateFrom: 1, base: at(5, 2), lastIndex: 5 }])
    expect(node.actionsOf("RestoreMachine")).toMatchObject([{ snapshot: { lastIndex: 5 } }])
    expect(node.sent).toEqual([["n2", Build.installReply({ term: 3, snapshotId: "n2-5", match: 5 })]])
  })

  it("7: takes the place of a longer log that has another entry there", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1, 1, 1, 1, 1] }).hasReceived("n2", at(3, 2))
    expect([node.base, node.log, node.state.commitIndex]).toEqual([at(3, 2), [], 3])
    expect([node.storedBase, node.storedLog]).toEqual([at(3, 2), []])
  })

  it("6: leaves what follows an entry with the same index and term", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1, 2, 2, 2] }).hasReceived("n2", at(3, 2))
    expect([node.base, node.log, node.state.commitIndex]).toEqual([at(3, 2), [2, 2], 3])
    expect([node.storedBase, node.storedLog]).toEqual([at(3, 2), [2, 2]])
    expect(node.actionsOf("Persist")[0]).not.toHaveProperty("truncateFrom")
    expect(node.actionsOf("RestoreMachine")).toHaveLength(1)
  })

  it("B36: removes nothing that is newer: what is committed here stays", () => {
    const node = committed({ term: 3, log: [1, 1, 2, 2, 2], commit: 4 })
    const { log, commitIndex } = node.state
    node.hasReceived("n2", at(3, 2))
    expect(node.state).toMatchObject({ log, commitIndex })
    expect([node.actionsOf("Persist"), node.actionsOf("RestoreMachine")]).toEqual([[], []])
  })

  it("B36: that ends before the last one changes nothing", () => {
    const node = followerOf("n2", { term: 3, log: [1] }).hasReceived("n2", at(8, 2))
    const before = node.state
    expect(node.hasReceived("n2", at(5, 2)).state).toBe(before)
    expect(node.actions).toEqual([])
  })

  it("B40: two in quick succession are harmless, in either order", () => {
    for (const order of [
      [5, 8],
      [8, 5]
    ] as const) {
      const node = followerOf("n2", { term: 3, log: [1, 1] }).withSlowDisk()
      for (const lastIndex of order) node.hasReceived("n2", at(lastIndex, 2))
      node.persists()
      expect([node.base, node.log, node.state.commitIndex]).toEqual([at(8, 2), [], 8])
      expect(node.storedBase).toEqual(at(8, 2))
      expect(node.sent.at(-1)).toEqual(["n2", Build.installReply({ term: 3, snapshotId: "n2-8", match: 8 })])
    }
  })

  it("is acknowledged when the log that begins after it is on disk, not before", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1] }).withSlowDisk()
    expect(node.hasReceived("n2", at(5, 2)).sent).toEqual([])
    expect(sentTags(node.persists())).toEqual(["InstallSnapshotReply"])
  })

  it("makes nothing durable that follows it", () => {
    const node = followerOf("n2", { term: 3, log: [1, 1] }).withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 1), entries: [1, 1, 3] }))
    node.hasReceived("n2", at(4, 1))
    expect([node.log, node.state.durability.index]).toEqual([[3], 4])
    node.persists(1)
    expect(node.state.durability.index).toBe(5)
  })

  it("an older write says nothing of the log that took the place of the one that it was for", () => {
    const node = followerOf("n2", { term: 3, log: [1] }).withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(1, 1), entries: [1, 1, 1, 1, 1] }))
    node.hasReceived("n2", at(3, 2))
    node.persists(1)
    expect(node.state.durability.index).toBe(3)
  })

  it("brings the membership that was in force there", () => {
    const membership = Build.membership({ voters: 5 })
    const node = followerOf("n2", { term: 3 }).hasReceived("n2", at(5, 2), { membership })
    expect(node.state.membership).toEqual(membership)
  })

  it("lets the leader go on after it", () => {
    const node = followerOf("n2", { term: 3, log: [1] }).hasReceived("n2", at(5, 2))
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(5, 2), entries: [2, 3], commit: 7 }))
    expect([node.log, node.state.commitIndex]).toEqual([[2, 3], 7])
  })

  it("counts in an election: who has it is as up to date as who has its last entry (section 5.4.1)", () => {
    const node = followerOf("n2", { term: 3, log: [1] }).hasReceived("n2", at(5, 2))
    const grants = (last: Build.Place) => {
      node.waits(1000).receives("n3", Build.requestVote({ term: node.state.currentTerm + 1, last }))
      return node.sent.map(([, message]) => message._tag === "RequestVoteReply" && message.granted)
    }
    expect([grants(at(4, 2)), grants(at(9, 1)), grants(at(5, 2))]).toEqual([[false], [false], [true]])
  })
})

describe("appends that reach below the beginning of the log", () => {
  const given = { term: 3, snapshot: at(3, 1), log: [1] }

  it("bring what is new; what the snapshot covers is there", () => {
    const node = follower(given)
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(1, 1), entries: [1, 1, 1, 2], commit: 5 }))
    expect([node.log, node.state.commitIndex]).toEqual([[1, 2], 5])
    expect(node.sent).toContainEqual(["n2", Build.accepted({ term: 3, match: 5 })])
  })

  it("match at least up to where the log begins: that was committed", () => {
    const node = follower(given)
    for (const prev of [Build.start, at(1, 1), at(2, 1)]) {
      node.receives("n2", Build.appendEntries({ term: 3, prev }))
      expect(node.sent).toEqual([["n2", Build.accepted({ term: 3, match: 3 })]])
    }
  })

  it("remove only what conflicts above it", () => {
    const node = follower({ ...given, log: [1, 1, 1] })
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 1), entries: [1, 1, 2] }))
    expect([node.base, node.log]).toEqual([at(3, 1), [1, 2]])
    expect(node.actionsOf("Persist")).toMatchObject([{ truncateFrom: 5 }])
  })

  it("a refusal names no index that the log does not have", () => {
    const node = follower({ term: 4, snapshot: at(3, 2), log: [2, 2] })
    node.receives("n2", Build.appendEntries({ term: 4, prev: at(5, 3) }))
    expect(node.sent).toEqual([["n2", Build.rejected({ term: 4, prev: 5, conflict: at(4, 2) })]])
  })
})

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
