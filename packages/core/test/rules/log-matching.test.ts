/**
 * The follower's half of replication and the Log Matching Property (paper, figure 2 and section 5.3).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { follower, followerOf, leader } from "./Harness.ts"

const at = (index: number, term: number): Build.Place => ({ index, term })

describe("the consistency check (section 5.3)", () => {
  it("entries are taken after one that matches, and the match is told", () => {
    const node = follower({ term: 2, log: [1, 1] })
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(2, 1), entries: [2, 2], round: 7 }))
    expect(node.log).toEqual([1, 1, 2, 2])
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 2, match: 4, round: 7 })]])
  })

  it("a log that is too short refuses, and says where it ends", () => {
    const node = follower({ term: 2, log: [1] })
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(3, 2), entries: [2], round: 7 }))
    expect(node.log).toEqual([1])
    expect(node.sent).toEqual([["n2", Build.rejected({ term: 2, prev: 3, conflict: at(2, 0), round: 7 })]])
  })

  it("a log with another term there refuses, and says where that term begins", () => {
    const node = follower({ term: 5, log: [1, 2, 2, 2, 3] })
    node.receives("n2", Build.appendEntries({ term: 5, prev: at(4, 4), entries: [5] }))
    expect(node.log).toEqual([1, 2, 2, 2, 3])
    expect(node.sent).toEqual([["n2", Build.rejected({ term: 5, prev: 4, conflict: at(2, 2) })]])
  })

  it("an empty log takes the first entries", () => {
    const node = follower({ term: 1 }).receives(
      "n2",
      Build.appendEntries({ term: 1, prev: Build.start, entries: [1] })
    )
    expect(node.log).toEqual([1])
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 1, match: 1 })]])
  })
})

describe("conflicts (section 5.3)", () => {
  it("B03: a conflict at i removes i and everything after it, not just i", () => {
    const node = follower({ term: 4, log: [1, 2, 2, 2] })
    node.receives("n2", Build.appendEntries({ term: 4, prev: at(1, 1), entries: [3] }))
    expect(node.log).toEqual([1, 3])
    expect(node.storedLog).toEqual([1, 3])
    expect(node.actionsOf("Persist")).toMatchObject([{ truncateFrom: 2, lastIndex: 2 }])
  })

  it("what agrees before the conflict stays", () => {
    const node = follower({ term: 4, log: [1, 1, 2, 2] })
    node.receives("n2", Build.appendEntries({ term: 4, prev: Build.start, entries: [1, 1, 2, 4, 4] }))
    expect(node.log).toEqual([1, 1, 2, 4, 4])
    expect(node.actionsOf("Persist")).toMatchObject([{ truncateFrom: 4, lastIndex: 5 }])
  })

  it("an old, short append does not cut the log", () => {
    const node = follower({ term: 2, log: [1, 2, 2, 2] })
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 1), entries: [2] }))
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 1) }))
    expect(node.log).toEqual([1, 2, 2, 2])
    expect(node.actionsOf("Persist")).toEqual([])
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 2, match: 1 })]])
  })

  it("an append that overlaps adds what is new", () => {
    const node = follower({ term: 2, log: [1, 2, 2] })
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 1), entries: [2, 2, 2, 2] }))
    expect(node.log).toEqual([1, 2, 2, 2, 2])
    expect(node.actionsOf("Persist")[0]?.truncateFrom).toBe(undefined)
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 2, match: 5 })]])
  })

  it("the same append again changes nothing and is acknowledged again", () => {
    const append = Build.appendEntries({ term: 2, prev: at(1, 1), entries: [2, 2] })
    const node = follower({ term: 2, log: [1] })
      .receives("n2", append)
      .receives("n2", append)
    expect(node.log).toEqual([1, 2, 2])
    expect(node.actionsOf("Persist")).toEqual([])
    expect(node.sent).toEqual([["n2", Build.accepted({ term: 2, match: 3 })]])
  })

  it("a committed entry is never removed: the mistake is noticed (State Machine Safety)", () => {
    const node = follower({ term: 2, log: [1, 1] })
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(2, 1), commit: 2 }))
    const impossible = Build.appendEntries({ term: 3, prev: at(1, 1), entries: [3] })
    expect(() => node.receives("n3", impossible)).toThrow("State Machine Safety")
  })
})

describe("damaged batches (B06)", () => {
  const [first, second] = Build.blocks([1, 2])

  it("a gap between the blocks is refused whole", () => {
    const node = follower({ term: 2 })
    const [far] = Build.blocks([2], 3)
    const message = {
      ...Build.appendEntries({ term: 2, prev: Build.start, commit: 3 }),
      blocks: [first!, far!]
    }
    node.receives("n2", message)
    expect(node.log).toEqual([])
    expect(node.state.commitIndex).toBe(0)
    expect(node.sent).toEqual([])
  })

  it("a gap before the first block is refused", () => {
    const node = follower({ term: 2 })
    node.receives("n2", { ...Build.appendEntries({ term: 2, prev: Build.start }), blocks: [second!] })
    expect(node.log).toEqual([])
    expect(node.sent).toEqual([])
  })

  it("terms that fall, or lie above the message's, are refused", () => {
    const node = follower({ term: 2, log: [2] })
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 2), entries: [1] }))
    node.receives("n2", Build.appendEntries({ term: 2, prev: at(1, 2), entries: [3] }))
    expect(node.log).toEqual([2])
    expect(node.sent).toEqual([])
  })
})

describe("learning the commit index (figure 2, receiver step 5)", () => {
  it("up to the leader's commit index", () => {
    const node = follower({ term: 1 })
    node.receives("n2", Build.appendEntries({ term: 1, prev: Build.start, entries: [1, 1, 1], commit: 2 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("B04: a heartbeat commits at most what it has verified: prevLogIndex", () => {
    const node = follower({ term: 3, log: [1, 1, 2, 2] })
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 1), commit: 4 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("B04: an append commits at most prevLogIndex plus its entries", () => {
    const node = follower({ term: 3, log: [1, 2, 2, 2, 2] })
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(1, 1), entries: [3], commit: 9 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("a refused append commits nothing", () => {
    const node = follower({ term: 3, log: [1, 2] })
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 3), commit: 2 }))
    expect(node.state.commitIndex).toBe(0)
  })

  it("the commit index never goes back", () => {
    const node = follower({ term: 1, log: [1, 1] })
    node.receives("n2", Build.appendEntries({ term: 1, prev: at(2, 1), commit: 2 }))
    node.receives("n2", Build.appendEntries({ term: 1, prev: at(1, 1), commit: 1 }))
    expect(node.state.commitIndex).toBe(2)
  })
})

describe("a notice of the commit index", () => {
  it("is taken in and not answered", () => {
    const node = follower({ term: 1 })
    node.receives("n2", Build.appendEntries({ term: 1, prev: Build.start, entries: [1, 1] }))
    node.receives("n2", Build.commitNotice({ term: 1, commit: 2 }))
    expect(node.state.commitIndex).toBe(2)
    expect(node.sent).toEqual([])
  })

  it("B04: commits at most what an append of this term has verified", () => {
    const node = follower({ term: 3, log: [1, 1, 2, 2] })
    node.receives("n2", Build.commitNotice({ term: 3, commit: 4 }))
    expect(node.state.commitIndex).toBe(0)
    node.receives("n2", Build.appendEntries({ term: 3, prev: at(2, 1) }))
    node.receives("n2", Build.commitNotice({ term: 3, commit: 4 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("commits what one append has verified, though an older and shorter one came after that", () => {
    const node = follower({ term: 1 })
    node.receives("n2", Build.appendEntries({ term: 1, prev: Build.start, entries: [1, 1] }))
    node.receives("n2", Build.appendEntries({ term: 1, prev: Build.start, entries: [1] }))
    node.receives("n2", Build.commitNotice({ term: 1, commit: 2 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("that overtakes the append of which it speaks commits nothing of it", () => {
    const node = follower({ term: 1, log: [1] })
    node.receives("n2", Build.appendEntries({ term: 1, prev: at(1, 1) }))
    node.receives("n2", Build.commitNotice({ term: 1, commit: 2 }))
    expect(node.state.commitIndex).toBe(1)
    node.receives("n2", Build.appendEntries({ term: 1, prev: at(1, 1), entries: [1], commit: 1 }))
    expect(node.state.commitIndex).toBe(1)
  })

  it("is the leader's word: the election is put off, a later term is taken over, an older one ignored", () => {
    const node = follower({ term: 1, log: [1] })
    node.nowMillis = 400
    node.receives("n2", Build.commitNotice({ term: 2, commit: 1 }))
    expect(node.state.currentTerm).toBe(2)
    expect(node.state.commitIndex).toBe(0)
    expect(node.state.role).toMatchObject({ _tag: "Follower", leader: "n2", heardMillis: 400 })
    node.nowMillis = 500
    node.receives("n3", Build.commitNotice({ term: 1, commit: 1 }))
    expect(node.state.role).toMatchObject({ leader: "n2", heardMillis: 400 })
    expect(node.sent).toEqual([])
  })
})

describe("figure 7: a new leader makes every follower's log its own", () => {
  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]

  it.each([
    ["a", [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ["b", [1, 1, 1, 4]],
    ["c", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ["d", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ["e", [1, 1, 1, 4, 4, 4, 4]],
    ["f", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]]
  ])("follower %s", (_, log) => {
    const leading = leader({ term: 8, log: leaderLog })
    const following = followerOf("n1", { term: 7, log })
    let roundTrips = 0
    for (let sent = leading.replicatesTo("n2"); sent.length > 0; sent = leading.replicatesTo("n2")) {
      for (const message of sent) {
        roundTrips++
        following.receives("n1", message)
        for (const [, reply] of following.sent) leading.receives("n2", reply)
      }
    }
    expect(following.log).toEqual([...leaderLog, 8])
    expect(leading.progress("n2")).toMatchObject({ mode: "Replicate", matchIndex: 11 })
    // One probe, one more for each conflicting term, and the news of the commit.
    const conflictingTerms = new Set(
      log.slice(log.findIndex((term, position) => term !== leaderLog[position]))
    ).size
    expect(roundTrips).toBeLessThanOrEqual(2 + conflictingTerms + 1)
  })
})
