/**
 * What a follower makes of the snapshots that a leader sends (paper, figure 13), and of its log beside them.
 */
import { describe, expect, it } from "vitest"
import * as Snapshotting from "../../src/consensus/Snapshotting.ts"
import * as Build from "./Build.ts"
import type { Subject } from "./Harness.ts"
import { candidate, follower, followerOf } from "./Harness.ts"
import { at, committed } from "./Snapshots.ts"

const sentTags = (node: Subject) => node.sent.map(([, message]) => message._tag)

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

  it("B36: that ends with what is committed leaves the log, and the machine, as they are", () => {
    const node = committed({ term: 3, log: [1, 1, 3] })
    const { log } = node.state
    expect(node.hasReceived("n2", at(3, 3)).state).toMatchObject({ log, snapshot: { lastIndex: 3 } })
    expect(node.actions).toEqual([])
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

  it("takes what was durable of the former log along: what stands there next is not acknowledged by it", () => {
    const node = followerOf("n2", { term: 5, log: [1, 1, 1, 1, 1] }).hasReceived("n2", at(3, 4))
    expect([node.base, node.log, node.state.durability.index]).toEqual([at(3, 4), [], 3])
    node.withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 5, prev: at(3, 4), entries: [5, 5] }))
    node.receives("n2", Build.appendEntries({ term: 5, prev: at(5, 5) }))
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 5, match: 3 })]])
    node.persists()
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

  it("are compared with where it begins, as with any entry", () => {
    const node = follower(given).receives(
      "n2",
      Build.appendEntries({ term: 3, prev: at(3, 2), entries: [3] })
    )
    expect(node.sent.map(([, { _tag }]) => _tag)).toEqual(["AppendRejected"])
    expect(node.log).toEqual([1])
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
