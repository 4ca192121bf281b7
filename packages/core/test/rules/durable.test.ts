/**
 * Durable before visible (paper, section 5: "servers respond to RPCs only after updating stable storage").
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { candidate, follower, followerOf, index, leader } from "./Harness.ts"
import { noWindow } from "./Snapshots.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })
const ask = Build.requestVote({ term: 4, last: at(0, 0) })

describe("votes", () => {
  it("a vote leaves the node when it is on the disk, not before", () => {
    const node = follower({ term: 3 }).withSlowDisk().receives("n2", ask)
    expect(node.sent).toEqual([])
    node.persists()
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted: true })]])
  })

  it("B13: a crash between a vote and its fsync: it was not sent, and there is no second one in the term", () => {
    for (const surviving of [0, 1, 2]) {
      const node = follower({ term: 3 }).withSlowDisk().receives("n2", ask)
      expect(node.sent).toEqual([])
      node.crashesAndRestarts(surviving).receives("n3", ask).persists()
      // Either the vote for n2 survived unsent, or it never was. n3 may have it only in the second case.
      const granted = surviving < 2
      expect(node.state.votedFor).toBe(granted ? "n3" : "n2")
      expect(node.receives("n3", ask).sent).toEqual([["n3", Build.voteReply({ term: 4, granted })]])
    }
  })

  it("a vote that was sent survives a crash", () => {
    const node = follower({ term: 3 }).withSlowDisk().receives("n2", ask).persists().crashesAndRestarts()
    expect([node.state.currentTerm, node.state.votedFor]).toEqual([4, "n2"])
    node.receives("n3", ask).persists()
    expect(node.receives("n3", ask).sent).toEqual([["n3", Build.voteReply({ term: 4, granted: false })]])
  })

  it("a candidate asks nobody before its own vote is on the disk, and does not count it", () => {
    const node = follower({ term: 3, config: { preVote: false } })
      .withSlowDisk()
      .timesOut()
    expect(node.requestsTo("n2")).toBe(undefined)
    node.receives("n2", Build.voteReply({ term: 4, granted: true }))
    expect(node.role).toBe("Candidate")
    node.persists()
    expect(node.role).toBe("Leader")
  })

  it("an earlier write that becomes durable does not make its vote so", () => {
    const node = followerOf("n2", { term: 3, config: { preVote: false } }).withSlowDisk()
    node
      .receives("n2", Build.appendEntries({ term: 3, prev: Build.start, entries: [3] }))
      .timesOut()
      .persists(1)
    expect(node.requestsTo("n2")).toBe(undefined)
    node.receives("n2", Build.voteReply({ term: 4, granted: true }))
    expect(node.role).toBe("Candidate")
  })

  it("a refusal tells the own term, so that must be on the disk as well", () => {
    const node = follower({ term: 3, log: [3] })
      .withSlowDisk()
      .receives("n2", ask)
    expect(node.sent).toEqual([])
    node.persists()
    expect(node.sent).toEqual([["n2", Build.voteReply({ term: 4, granted: false })]])
  })

  it("so does an answer to a pre-vote, and a stale leader's refusal", () => {
    const node = follower({ term: 3 })
      .withSlowDisk()
      .receives("n2", Build.accepted({ term: 4, match: 0 }))
    node.receives("n2", Build.preVote({ term: 5, last: at(0, 0) }))
    expect(node.sent).toEqual([])
    node.receives("n3", Build.appendEntries({ term: 3, prev: Build.start }))
    expect(node.sent).toEqual([])
    node.persists()
    expect(node.sent.map(([to, message]) => [to, message._tag, message.term])).toEqual([
      ["n2", "PreVoteReply", 4],
      ["n3", "StaleTerm", 4]
    ])
  })
})

describe("acknowledgements", () => {
  const append = Build.appendEntries({ term: 3, prev: Build.start, entries: [3, 3] })

  it("what was appended is acknowledged when it is on the disk", () => {
    const node = follower({ term: 3 }).withSlowDisk().receives("n2", append)
    expect(node.log).toEqual([3, 3])
    expect(node.sent).toEqual([])
    node.persists()
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 3, match: 2 })]])
  })

  it("the same entries again, while the disk still works on them, are answered with what is durable", () => {
    const node = followerOf("n2", { term: 3 }).withSlowDisk().receives("n2", append).receives("n2", append)
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 3, match: 0 })]])
    node.persists()
    const whole = ["n2", Build.accepted({ term: 3, match: 2 })]
    expect(node.sent).toEqual([whole, whole])
  })

  it("a heartbeat is answered at once, with what is durable by now", () => {
    const node = follower({ term: 3, log: [3] }).withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(1, 3), entries: [3] }))
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 3), round: 5 }))
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 3, match: 1, round: 5 })]])
  })

  it("but not before the term is durable", () => {
    const node = follower({ term: 2, log: [1] }).withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(1, 1) }))
    expect(node.sent).toEqual([])
    node.persists()
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 3, match: 1 })]])
  })

  it("writes become durable in order, each with what hangs on it", () => {
    const node = follower({ term: 3 }).withSlowDisk().receives("n2", append)
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 3), entries: [3] }))
    expect(node.persists(1).sent).toEqual([["n2", Build.accepted({ term: 3, match: 2 })]])
    expect(node.persists(1).sent).toEqual([["n2", Build.accepted({ term: 3, match: 3 })]])
  })
})

describe("an overtaken write", () => {
  /** Entries 2 and 3 of term 2 are being written when the leader of term 3 replaces them by one of its own. */
  const overtaken = () => {
    const node = followerOf("n2", { term: 2, log: [1] }).withSlowDisk()
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 1), entries: [2, 2] }))
    return node.receives("n3", Build.appendEntries({ term: 3, prev: at(1, 1), entries: [3] }))
  }

  it("says nothing about the entries that stand in its place now", () => {
    const node = overtaken().persists(1)
    expect(node.state.durability.index).toBe(1)
    // n2's acknowledgement is of term 2, in which nobody believes any more.
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 2, match: 3 })]])
    node.receives("n3", Build.appendEntries({ term: 3, prev: at(2, 3), round: 1 }))
    expect(node.sent).toEqual([])
    node.persists()
    expect(node.sent).toContainEqual(["n3", Build.accepted({ term: 3, match: 2 })])
    expect(node.storedLog).toEqual([1, 3])
  })

  it("is not taken for the write that replaced it: a heartbeat is answered with what is durable of the new log", () => {
    const node = overtaken().persists(2)
    node.receives("n3", Build.appendEntries({ term: 3, prev: at(2, 3), round: 1 }))
    expect(node.sent).toEqual([["n3", Build.accepted({ term: 3, match: 1, round: 1 })]])
  })

  it("entries that were durable and are cut are so no longer, nor are those that replace them yet", () => {
    const node = follower({ term: 3, log: [1, 2, 2] }).withSlowDisk()
    node.receives("n3", Build.appendEntries({ term: 3, prev: at(1, 1), entries: [3, 3] }))
    node.receives("n3", Build.appendEntries({ term: 3, prev: at(3, 3), round: 1 }))
    expect(node.sent).toEqual([["n3", Build.accepted({ term: 3, match: 1, round: 1 })]])
  })

  it("word of a write that is older than the last is no news", () => {
    const node = followerOf("n2", { term: 3 }).withSlowDisk()
    for (const at of [0, 1, 2])
      node.receives(
        "n2",
        Build.appendEntries({ term: 3, prev: { index: at, term: at === 0 ? 0 : 3 }, entries: [3] })
      )
    const { state } = node.persists()
    for (const ticket of [state.durability.persisted, state.durability.persisted - 1])
      expect(node.happens({ _tag: "Persisted", ticket, lastIndex: index(1) }).state).toBe(state)
  })

  it("what is durable stays so where the log begins later", () => {
    const node = followerOf("n2", { term: 3, log: [3, 3, 3], config: noWindow })
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(3, 3), commit: 2 })).withSlowDisk()
    expect(node.hasTaken(at(2, 3)).base).toEqual(at(2, 3))
    expect(node.state.durability.index).toBe(3)
  })

  it("a crash with any part of the writes done leaves a log that was once its log", () => {
    const logs = [0, 1, 2, 3].map((surviving) => overtaken().crashesAndRestarts(surviving).log)
    expect(logs).toEqual([[1], [1, 2, 2], [1, 2, 2], [1, 3]])
  })
})

describe("B14: nobody hears of success too early", () => {
  it("a leader's appends may leave before its own disk is done, its commit may not", () => {
    const node = leader({ term: 4 })
      .receives("n2", Build.accepted({ term: 4, match: 1 }))
      .withSlowDisk()
      .proposes("a")
    node.replicatesTo("n2")
    node.receives("n2", Build.accepted({ term: 4, match: 2 }))
    expect(node.state.commitIndex).toBe(1)
  })

  it("a single node acknowledges nothing that a crash would take back", () => {
    const node = leader({ term: 4, voters: 1 }).withSlowDisk().proposes("a")
    expect(node.state.commitIndex).toBe(1)
    node.crashesAndRestarts()
    expect(node.log).toEqual([4])
  })

  it("an election that was won from memory alone does not happen", () => {
    const node = candidate({ term: 4, voters: 1 })
    expect(node.state.durability.persisted).toBe(node.state.durability.issued)
  })
})
