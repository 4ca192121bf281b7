/**
 * The leader's half of replication: probing, back-off, sending ahead (paper, section 5.3; thesis, 10.2.1).
 */
import { describe, expect, it } from "vitest"
import type { AppendEntries, RaftMessage } from "../../src/RaftMessage.ts"
import * as Build from "./Build.ts"
import type { Subject } from "./Harness.ts"
import { candidate, follower, leader } from "./Harness.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })

/** The appends among some messages, as `[prevLogIndex, terms of the entries, leaderCommit]`. */
const appends = (messages: ReadonlyArray<RaftMessage>) =>
  messages
    .filter((message): message is AppendEntries => message._tag === "AppendEntries")
    .map((message) => [message.prevLogIndex, Build.termsOf(message.blocks), message.leaderCommit])

/** The peer is found to hold the whole log, and has been told so. */
const matched = (node: Subject, peer: string): Subject => {
  node.replicatesTo(peer)
  const { lastIndex } = node.state.log
  node.receives(peer, Build.accepted({ term: node.state.currentTerm, match: lastIndex }))
  node.replicatesTo(peer)
  return node
}

describe("a new leader (sections 5.3, 8)", () => {
  it("begins its term with a no-op, and nextIndex just after its last entry", () => {
    const node = leader({ term: 4, log: [1, 3] })
    expect(node.log).toEqual([1, 3, 4])
    expect(node.progress("n2")).toMatchObject({ mode: "Probe", nextIndex: 3, matchIndex: 0 })
  })

  it("says at once to everybody that it leads", () => {
    const node = leader({ term: 4, log: [1, 3] })
    for (const peer of ["n2", "n3"]) expect(appends(node.replicatesTo(peer))).toEqual([[2, [4], 0]])
  })

  it("appends clients' commands, all of an event at once, in order", () => {
    const node = leader({ term: 4 }).proposes("a", "b", "c")
    expect(node.log).toEqual([4, 4, 4, 4])
    expect(node.actionsOf("ProposalsAppended")).toEqual([
      { _tag: "ProposalsAppended", firstIndex: 2, term: 4 }
    ])
    expect(node.actionsOf("Persist")).toMatchObject([{ lastIndex: 4, blocks: [{ firstIndex: 2 }] }])
  })

  it("never overwrites or removes an entry of its own log (Leader Append-Only)", () => {
    const node = leader({ term: 4, log: [1, 2] })
    node.receives("n2", Build.rejected({ term: 4, prev: 2, conflict: at(1, 0) })).proposes("a")
    expect(node.log).toEqual([1, 2, 4, 4])
    expect(node.actionsOf("Persist").map((write) => write.truncateFrom)).toEqual([undefined])
  })

  it("only a leader takes commands", () => {
    for (const node of [follower({ term: 4 }), candidate({ term: 4 })]) {
      const before = node.state
      expect(node.proposes("a").state).toBe(before)
      expect(node.actions).toEqual([{ _tag: "ProposalsRefused", because: "NotLeader" }])
    }
  })

  it("past maxUncommittedBytes it takes none, until some are committed", () => {
    const node = leader({ term: 4, config: { maxUncommittedBytes: 60 } })
      .proposes("a")
      .proposes("b")
    node.proposes("c")
    expect(node.actions).toEqual([{ _tag: "ProposalsRefused", because: "TooMuchUncommitted" }])
    expect(node.log).toEqual([4, 4, 4])
    node.receives("n2", Build.accepted({ term: 4, match: 3 })).proposes("d")
    expect(node.actionsOf("ProposalsAppended")).toHaveLength(1)
  })
})

describe("probing (section 5.3, end)", () => {
  it("one message at a time, and again with each heartbeat, until it is answered", () => {
    const node = leader({ term: 4 })
    expect(node.replicatesTo("n2")).toHaveLength(1)
    node.proposes("a")
    expect(node.replicatesTo("n2")).toEqual([])
    node.heartbeatDue()
    expect(appends(node.replicatesTo("n2"))).toEqual([[0, [4, 4], 0]])
  })

  it("a short follower is tried next at its end", () => {
    const node = leader({ term: 4, log: [1, 1, 1, 1] })
    node.replicatesTo("n2")
    node.receives("n2", Build.rejected({ term: 4, prev: 4, conflict: at(2, 0) }))
    expect(appends(node.replicatesTo("n2"))).toEqual([[1, [1, 1, 1, 4], 0]])
  })

  it("a conflicting term that the leader has is skipped to the leader's last entry of it", () => {
    const node = leader({ term: 6, log: [1, 4, 4, 5, 5] })
    node.replicatesTo("n2")
    node.receives("n2", Build.rejected({ term: 6, prev: 5, conflict: at(2, 4) }))
    expect(node.progress("n2").nextIndex).toBe(4)
  })

  it("a conflicting term that the leader does not have is skipped whole", () => {
    const node = leader({ term: 6, log: [1, 5, 5, 5, 5] })
    node.replicatesTo("n2")
    node.receives("n2", Build.rejected({ term: 6, prev: 5, conflict: at(3, 2) }))
    expect(node.progress("n2").nextIndex).toBeLessThanOrEqual(3)
  })

  it("every refusal of the probe moves it back, down to the beginning", () => {
    const node = leader({ term: 9, log: [1, 2, 3, 4, 5, 6, 7, 8] })
    for (let prev = 8; prev > 0; prev = node.progress("n2").nextIndex - 1) {
      node.receives("n2", Build.rejected({ term: 9, prev, conflict: at(prev, 8) }))
      expect(node.progress("n2").nextIndex).toBeLessThanOrEqual(prev)
    }
    expect(appends(node.replicatesTo("n2"))).toMatchObject([[0, [1, 2, 3, 4, 5, 6, 7, 8, 9], 0]])
  })

  it("the point is found: from then on it sends ahead", () => {
    const node = matched(leader({ term: 4 }), "n2")
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 1 })
    node.proposes("a")
    expect(appends(node.replicatesTo("n2"))).toEqual([[1, [4], 1]])
    node.proposes("b")
    expect(appends(node.replicatesTo("n2"))).toEqual([[2, [4], 1]])
  })

  it("an answer that does not reach the probe does not say that the point was found", () => {
    const node = leader({ term: 4, log: [1, 1, 1] })
    node.receives("n2", Build.accepted({ term: 4, match: 1 }))
    expect(node.progress("n2")).toMatchObject({ mode: "Probe", matchIndex: 1, nextIndex: 4 })
  })
})

describe("B07: answers that come late or twice", () => {
  it("an old acknowledgement never lowers what matches", () => {
    const node = matched(leader({ term: 4, log: [1, 1] }), "n2")
    node.receives("n2", Build.accepted({ term: 4, match: 1 }))
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 3, nextIndex: 4 })
  })

  it("a refusal of what matches by now changes nothing", () => {
    const node = matched(leader({ term: 4, log: [1, 1] }), "n2")
    const { epoch } = node.progress("n2")
    node.receives("n2", Build.rejected({ term: 4, prev: 2, conflict: at(1, 0) }))
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 3, epoch })
  })

  it("a second refusal of the same probe changes nothing", () => {
    const node = leader({ term: 6, log: [1, 4, 4, 5, 5] })
    const refusal = Build.rejected({ term: 6, prev: 5, conflict: at(2, 4) })
    const { nextIndex, epoch } = node.receives("n2", refusal).progress("n2")
    expect(node.receives("n2", refusal).progress("n2")).toMatchObject({ nextIndex, epoch })
  })

  it("answers of an earlier term of its own change nothing", () => {
    const node = leader({ term: 6, log: [1, 4] })
    const before = node.state
    node.receives("n2", Build.accepted({ term: 4, match: 2 }))
    node.receives("n2", Build.rejected({ term: 4, prev: 2, conflict: at(1, 0) }))
    expect(node.state).toBe(before)
  })

  it("answers change nothing at a node that leads no more", () => {
    const node = leader({ term: 6, log: [1, 4] })
      .waits(100)
      .heartbeatDue()
    expect([node.role, node.state.currentTerm]).toEqual(["Follower", 6])
    const before = node.state
    node.receives("n2", Build.accepted({ term: 6, match: 3 }))
    expect(node.state).toBe(before)
  })

  it("strangers' answers change nothing", () => {
    const node = leader({ term: 6 })
    const before = node.state
    expect(node.receives("stranger", Build.accepted({ term: 6, match: 1 })).state).toBe(before)
  })

  it("nobody holds more than the leader", () => {
    const node = leader({ term: 6 }).receives("n2", Build.accepted({ term: 6, match: 99 }))
    expect(node.progress("n2").matchIndex).toBe(1)
    expect(node.state.commitIndex).toBe(1)
  })
})

describe("sending ahead", () => {
  it("something was lost on the way: the refusal takes it back to probing from what matches", () => {
    const node = matched(leader({ term: 4 }), "n2").proposes("a")
    node.replicatesTo("n2")
    node.proposes("b")
    node.replicatesTo("n2")
    node.receives("n2", Build.rejected({ term: 4, prev: 2, conflict: at(2, 0) }))
    expect(node.progress("n2")).toMatchObject({ mode: "Probe", nextIndex: 2, matchIndex: 1 })
    expect(appends(node.replicatesTo("n2"))).toEqual([[1, [4, 4], 1]])
  })

  it("the last append was lost: the next heartbeat shows it", () => {
    const node = matched(leader({ term: 4 }), "n2").proposes("a")
    node.replicatesTo("n2")
    expect(appends(node.heartbeatDue().replicatesTo("n2"))).toEqual([[2, [], 1]])
  })

  it("no more than maxInflightEntries are on their way", () => {
    const node = matched(leader({ term: 4, config: { maxInflightEntries: 2 } }), "n2").proposes("a", "b", "c")
    expect(appends(node.replicatesTo("n2"))).toEqual([[1, [4, 4], 1]])
    node.receives("n2", Build.accepted({ term: 4, match: 2 }))
    expect(appends(node.replicatesTo("n2"))).toEqual([[3, [4], 2]])
  })

  it("no more than maxInflightBytes, give or take one append", () => {
    const settings = { maxInflightBytes: 50, maxAppendBytes: 25 }
    const node = matched(leader({ term: 4, config: settings }), "n2").proposes("a", "b", "c")
    expect(appends(node.replicatesTo("n2"))).toEqual([
      [1, [4], 1],
      [2, [4], 1]
    ])
    node.receives("n2", Build.accepted({ term: 4, match: 2 }))
    expect(appends(node.replicatesTo("n2"))).toEqual([[3, [4], 2]])
  })

  it("a full window does not silence the heartbeats", () => {
    const node = matched(leader({ term: 4, config: { maxInflightEntries: 1 } }), "n2").proposes("a", "b")
    node.replicatesTo("n2")
    expect(appends(node.heartbeatDue().replicatesTo("n2"))).toEqual([[2, [], 1]])
  })

  it("one append is at most maxAppendBytes, and at least one entry", () => {
    const node = matched(leader({ term: 4, config: { maxAppendBytes: 1 } }), "n2").proposes("a", "b")
    expect(appends(node.replicatesTo("n2"))).toEqual([
      [1, [4], 1],
      [2, [4], 1]
    ])
  })

  it("a new commit index is told at once to whom it concerns, once", () => {
    const node = matched(matched(leader({ term: 4 }), "n2"), "n3").proposes("a")
    for (const peer of ["n2", "n3"]) node.replicatesTo(peer)
    node.receives("n2", Build.accepted({ term: 4, match: 2 }))
    const notice = Build.commitNotice({ term: 4, commit: 2 })
    expect(node.replicatesTo("n2")).toEqual([notice])
    expect(node.replicatesTo("n2")).toEqual([])
    // n3 has not acknowledged the entry yet, so it cannot use the news.
    expect(node.replicatesTo("n3")).toEqual([])
    node.receives("n3", Build.accepted({ term: 4, match: 2 }))
    expect(node.replicatesTo("n3")).toEqual([notice])
  })

  it("a new commit index rides on what has to be said anyway", () => {
    const node = matched(leader({ term: 4 }), "n2").proposes("a")
    node.replicatesTo("n2")
    node.receives("n2", Build.accepted({ term: 4, match: 2 })).proposes("b")
    expect(appends(node.replicatesTo("n2"))).toEqual([[2, [4], 2]])
    node.receives("n2", Build.accepted({ term: 4, match: 3 })).heartbeatDue()
    expect(appends(node.replicatesTo("n2"))).toEqual([[3, [], 3]])
    expect(node.replicatesTo("n2")).toEqual([])
  })

  it("a heartbeat is a message to everybody, learners too", () => {
    const node = leader({ term: 4, learners: 1 })
    for (const peer of ["n2", "n3", "n4"]) expect(node.replicatesTo(peer)).toHaveLength(1)
    node.heartbeatDue()
    for (const peer of ["n2", "n3", "n4"]) expect(node.replicatesTo(peer)).toHaveLength(1)
  })
})

describe("B18: a peer whose disk was emptied, or replaced by an old copy", () => {
  const returned = (node: Subject, peer: string): Subject =>
    node.happens({ _tag: "PeerLost", peer: Build.id(peer) })

  it("is looked at anew after its connection broke, from what it had acknowledged", () => {
    const node = returned(matched(leader({ term: 4, log: [1, 3] }), "n2"), "n2")
    expect(node.progress("n2")).toMatchObject({ mode: "Probe", matchIndex: 3, nextIndex: 4 })
    node.proposes("a")
    expect(appends(node.replicatesTo("n2"))).toEqual([[3, [4], 3]])
    expect(node.replicatesTo("n2")).toEqual([])
  })

  it("counts for nothing any more when it refuses that, and gets everything", () => {
    const node = returned(matched(leader({ term: 4, log: [1, 3] }), "n2"), "n2")
    node.replicatesTo("n2")
    node.receives("n2", Build.rejected({ term: 4, prev: 3, conflict: at(1, 0) }))
    expect(node.actionsOf("PeerForgot")).toEqual([{ _tag: "PeerForgot", peer: "n2", acknowledged: 3 }])
    expect(node.progress("n2")).toMatchObject({ mode: "Probe", matchIndex: 0, nextIndex: 1 })
    expect(appends(node.replicatesTo("n2"))).toEqual([[0, [1, 3, 4], 3]])
    node.receives("n2", Build.accepted({ term: 4, match: 3 }))
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 3 })
  })

  it("does not make an entry committed by what it had acknowledged before", () => {
    const node = leader({ term: 4, voters: 5 })
    node.proposes("a")
    matched(node, "n2")
    returned(node, "n2").replicatesTo("n2")
    node.receives("n2", Build.rejected({ term: 4, prev: 2, conflict: at(1, 0) }))
    node.receives("n3", Build.accepted({ term: 4, match: 2 }))
    expect(node.state.commitIndex).toBe(0)
  })

  it("B07: is not believed while its connection stands: then the refusal is an old one", () => {
    const node = matched(leader({ term: 4, log: [1, 3] }), "n2")
    node.receives("n2", Build.rejected({ term: 4, prev: 3, conflict: at(1, 0) }))
    expect(node.actionsOf("PeerForgot")).toEqual([])
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 3 })
  })

  it("nor when it has accepted something since it came back", () => {
    const node = returned(matched(leader({ term: 4, log: [1, 3] }), "n2"), "n2")
    node.replicatesTo("n2")
    node.receives("n2", Build.accepted({ term: 4, match: 3 }))
    node.receives("n2", Build.rejected({ term: 4, prev: 3, conflict: at(1, 0) }))
    expect(node.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 3 })
  })

  it("a peer of which nothing is known yet is looked for where the search was", () => {
    const node = returned(leader({ term: 4, log: [1, 3] }), "n2")
    expect(node.progress("n2")).toMatchObject({ mode: "Probe", matchIndex: 0, nextIndex: 3 })
  })

  it("a follower that loses a peer changes nothing", () => {
    const node = follower({ term: 4, log: [1, 3] })
    const before = node.state
    expect(returned(node, "n2").state).toBe(before)
  })
})
