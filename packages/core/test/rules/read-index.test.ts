/**
 * Linearizable reads without the log (paper, section 8; thesis, section 6.4).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import type { Given } from "./Harness.ts"
import { candidate, follower, followerOf, leader } from "./Harness.ts"

/** A leader whose no-op is committed. */
const settledLeader = (given: Given) => {
  const node = leader(given)
  const match = node.state.log.lastIndex
  const majority = Math.floor((given.voters ?? 3) / 2)
  for (let peer = 2; peer < 2 + majority; peer++)
    node.receives(`n${peer}`, Build.accepted({ term: given.term, match }))
  if (node.state.commitIndex !== match) throw new Error("the no-op is not committed")
  return node
}

const confirmed = (readIds: ReadonlyArray<number>, readIndex: number) => ({
  _tag: "ReadsConfirmed",
  readIds,
  readIndex
})

const heard = (options: { readonly round: number; readonly term?: number }) =>
  Build.accepted({ term: options.term ?? 4, match: 1, round: options.round })

describe("at the leader (thesis, section 6.4)", () => {
  it("a read waits for one round with a quorum, and is answered at the commit index of its beginning", () => {
    const node = settledLeader({ term: 4 }).reads(1, 2)
    expect(node.actions).toEqual([])
    expect(node.replicatesTo("n2")).toMatchObject([{ _tag: "AppendEntries", round: 1 }])
    node.receives("n2", heard({ round: 1 }))
    expect(node.actions).toEqual([confirmed([1, 2], 1)])
  })

  it("answers to rounds before the read say nothing about it", () => {
    const node = settledLeader({ term: 4 })
      .reads(1)
      .receives("n2", heard({ round: 1 }))
      .reads(2)
    node.receives("n2", heard({ round: 1 })).receives("n3", heard({ round: 1 }))
    expect(node.actions).toEqual([])
    node.receives("n3", heard({ round: 2 }))
    expect(node.actions).toEqual([confirmed([2], 1)])
  })

  it.each([
    { voters: 2, others: 1 },
    { voters: 3, others: 1 },
    { voters: 4, others: 2 },
    { voters: 5, others: 2 }
  ])("of $voters voters $others others must answer", ({ voters, others }) => {
    const node = settledLeader({ term: 4, voters }).reads(1)
    for (let peer = 2; peer <= others; peer++) {
      expect(node.receives(`n${peer}`, heard({ round: 1 })).actions).toEqual([])
    }
    expect(node.receives(`n${others + 1}`, heard({ round: 1 })).actions).toEqual([confirmed([1], 1)])
  })

  it("B08: learners and strangers do not count", () => {
    const node = settledLeader({ term: 4, learners: 2 }).reads(1)
    for (const peer of ["n4", "n5", "n9"]) {
      expect(node.receives(peer, heard({ round: 1 })).actions).toEqual([])
    }
  })

  it("a single voter answers at once", () => {
    expect(settledLeader({ term: 4, voters: 1 }).reads(1).actions).toEqual([confirmed([1], 1)])
  })

  it("a refused append of its term is an answer to the round as well", () => {
    const node = settledLeader({ term: 4, log: [1] }).reads(1)
    node.receives("n3", Build.rejected({ term: 4, prev: 1, conflict: { index: 1, term: 0 }, round: 1 }))
    expect(node.actions).toEqual([confirmed([1], 2)])
  })

  it("a word of an older term is refused without a round, which this term's leader would take for its own", () => {
    for (const stale of [
      Build.appendEntries({ term: 3, prev: Build.start, round: 7 }),
      Build.requestVote({ term: 3, last: { index: 9, term: 3 } }),
      Build.installSnapshot({ term: 3, last: { index: 3, term: 3 } })
    ]) {
      const node = follower({ term: 4 }).receives("n2", stale)
      expect(node.sent).toEqual([["n2", { _tag: "StaleTerm", term: 4 }]])
    }
    const node = settledLeader({ term: 4 }).reads(1)
    for (const peer of ["n2", "n3"]) node.receives(peer, Build.staleTerm(4))
    expect(node.actions).toEqual([])
    expect(node.receives("n2", Build.staleTerm(5)).role).toBe("Follower")
  })

  it("what commits while a read waits does not move the read", () => {
    const node = settledLeader({ term: 4 }).reads(1).proposes("a")
    node.receives("n2", Build.accepted({ term: 4, match: 2, round: 0 }))
    expect(node.state.commitIndex).toBe(2)
    node.receives("n2", Build.accepted({ term: 4, match: 2, round: 1 }))
    expect(node.actions).toEqual([confirmed([1], 1)])
  })
})

describe("B43: at a new leader, before its first commit (section 8)", () => {
  it("a read waits for the no-op, then for a round that began after it, and is answered", () => {
    const node = leader({ term: 4, log: [1, 1] }).reads(1)
    node.receives("n2", Build.accepted({ term: 4, match: 2, round: 0 }))
    expect(node.actions).toEqual([])
    node.receives("n2", Build.accepted({ term: 4, match: 3, round: 0 }))
    expect(node.state.commitIndex).toBe(3)
    expect(node.actions).toEqual([])
    expect(node.replicatesTo("n2")).toMatchObject([{ round: 1 }])
    node.receives("n2", Build.accepted({ term: 4, match: 3, round: 1 }))
    expect(node.actions).toEqual([confirmed([1], 3)])
  })

  it("also where it is alone and only its disk is slow", () => {
    const node = candidate({ term: 4, voters: 1 })
    expect(node.role).toBe("Leader")
    const slow = follower({ term: 3, log: [3], voters: 1 })
      .withSlowDisk()
      .timesOut()
      .persists()
    slow.reads(1)
    expect(slow.actions).toEqual([])
    slow.persists()
    expect(slow.actions).toEqual([confirmed([1], 2)])
  })
})

describe("B45: a deposed leader never answers", () => {
  it("its waiting reads are refused as soon as it hears of a higher term", () => {
    const node = settledLeader({ term: 4 })
      .reads(1)
      .receives("n3", Build.accepted({ term: 5, match: 0 }))
    expect(node.actionsOf("ReadsRefused")).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
    node.receives("n2", heard({ round: 1 }))
    expect(node.actions).toEqual([])
  })

  it("answers that were given to an earlier leadership of its own do not confirm", () => {
    const node = settledLeader({ term: 6 })
      .reads(1)
      .receives("n2", heard({ round: 1, term: 4 }))
    expect(node.actions).toEqual([])
  })

  it("one that is cut off answers nothing, and refuses when it steps down", () => {
    const node = settledLeader({ term: 4 }).waits(50).reads(1).waits(49).heartbeatDue()
    expect(node.actions).toEqual([])
    node.waits(1).heartbeatDue()
    expect(node.actionsOf("ReadsRefused")).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
  })
})

describe("at a follower (thesis, section 6.4)", () => {
  const question = (node: { readonly sent: ReadonlyArray<readonly [string, { readonly _tag: string }]> }) =>
    node.sent.filter(([, message]) => message._tag === "ReadIndex")

  it("its leader is asked, and the read runs at the index that comes back", () => {
    const node = followerOf("n2", { term: 4, log: [4] }).reads(1, 2)
    expect(node.sent).toEqual([["n2", Build.readIndex({ term: 4, requestId: 0 })]])
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 1 }))
    expect(node.actions).toEqual([confirmed([1, 2], 1)])
    expect(node.state.commitIndex).toBe(1)
  })

  it("no more is committed than was verified, whatever the answer says (B04)", () => {
    const node = followerOf("n2", { term: 4, log: [4] }).reads(1)
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 9 }))
    expect(node.actions).toEqual([confirmed([1], 9)])
    expect(node.state.commitIndex).toBe(1)
  })

  it("nothing is committed of a log that this leader has not verified (B04)", () => {
    const node = follower({ term: 4, log: [1, 2] })
    node.receives("n2", Build.appendEntries({ term: 4, prev: { index: 2, term: 3 } })).reads(1)
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 2 }))
    expect(node.state.commitIndex).toBe(0)
  })

  it("a question may be lost: it asks again, under the same id", () => {
    const node = followerOf("n2", { term: 4 }).reads(1).happens({ _tag: "ReadRetryDue" })
    expect(node.sent).toEqual([["n2", Build.readIndex({ term: 4, requestId: 0 })]])
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 0 }))
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 0 }))
    expect(node.actions).toEqual([])
    expect(question(node.happens({ _tag: "ReadRetryDue" }))).toEqual([])
  })

  it("without a leader it refuses", () => {
    for (const node of [follower({ term: 4 }), candidate({ term: 4 })]) {
      expect(node.reads(1).actions).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
    }
  })

  it("its leader is gone: the reads that wait are refused, and a late answer is not believed", () => {
    const node = followerOf("n2", { term: 4 }).reads(1).timesOut()
    expect(node.actionsOf("ReadsRefused")).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 0 }))
    expect(node.actions).toEqual([])
  })

  it("an answer from before a restart fits no question from after it", () => {
    const node = followerOf("n2", { term: 4 }).reads(1).crashesAndRestarts()
    node.receives("n2", Build.appendEntries({ term: 4, prev: Build.start })).reads(2)
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 0 }))
    expect(node.actions).toEqual([])
  })

  it("the leader answers it after a round, once for each time it was asked", () => {
    const node = settledLeader({ term: 4, voters: 5 })
    const ask = Build.readIndex({ term: 4, requestId: 7 })
    node.receives("n3", ask).receives("n3", ask)
    expect(node.sent).toEqual([])
    node.receives("n2", heard({ round: 1 }))
    expect(node.sent).toEqual([["n3", Build.readIndexReply({ term: 4, requestId: 7, readIndex: 1 })]])
  })

  it("the same question again, while its round is under way, is no other; others' and other ones are", () => {
    const node = settledLeader({ term: 4, voters: 5 })
    const asks = (from: string, requestId: number) =>
      node.receives(from, Build.readIndex({ term: 4, requestId }))
    asks("n3", 7)
    asks("n3", 7)
    asks("n3", 8)
    asks("n4", 7)
    node.receives("n2", heard({ round: 9 }))
    const reply = (requestId: number) => Build.readIndexReply({ term: 4, requestId, readIndex: 1 })
    expect(node.sent).toEqual([
      ["n3", reply(7)],
      ["n3", reply(8)],
      ["n4", reply(7)]
    ])
  })

  it("who asks follows this leader: with it of three voters two are known to", () => {
    const node = settledLeader({ term: 4 })
    node.replicatesTo("n2")
    node.receives("n3", Build.readIndex({ term: 4, requestId: 7 }))
    expect(node.sent).toEqual([["n3", Build.readIndexReply({ term: 4, requestId: 7, readIndex: 1 })]])
    expect(node.replicatesTo("n2")).toEqual([])
  })

  it("also at a leader that waits for its first commit, and only then (B43)", () => {
    const node = leader({ term: 4, log: [1, 1] })
    node.receives("n3", Build.readIndex({ term: 4, requestId: 7 }))
    expect(node.sent).toEqual([])
    node.receives("n2", Build.accepted({ term: 4, match: 3 }))
    expect(node.sent).toEqual([["n3", Build.readIndexReply({ term: 4, requestId: 7, readIndex: 3 })]])
  })

  it("a question says nothing for reads of others, which may have come after it was sent", () => {
    const node = settledLeader({ term: 4, voters: 5 }).reads(1)
    node.receives("n3", Build.readIndex({ term: 4, requestId: 7 }))
    node.receives("n2", heard({ round: 2 }))
    expect(node.actionsOf("ReadsConfirmed")).toEqual([])
    expect(node.sent).toEqual([["n3", Build.readIndexReply({ term: 4, requestId: 7, readIndex: 1 })]])
    node.receives("n4", heard({ round: 1 }))
    expect(node.actions).toEqual([confirmed([1], 1)])
  })

  it("B08: the question of a learner counts for nobody", () => {
    const node = settledLeader({ term: 4, learners: 1 })
    node.receives("n4", Build.readIndex({ term: 4, requestId: 7 }))
    expect(node.sent).toEqual([])
    node.receives("n2", heard({ round: 1 }))
    expect(node.sent).toEqual([["n4", Build.readIndexReply({ term: 4, requestId: 7, readIndex: 1 })]])
  })

  it("nobody but the leader of the asker's term answers", () => {
    const ask = Build.readIndex({ term: 3, requestId: 7 })
    expect(settledLeader({ term: 4 }).receives("n3", ask).sent).toEqual([])
    expect(followerOf("n2", { term: 3 }).receives("n3", ask).sent).toEqual([])
  })
})

describe("B50: a read does not wait for ever", () => {
  const patience = { config: { requestTimeoutMillis: 60, checkQuorum: false } }

  it("a leader without CheckQuorum gives up what no quorum confirms", () => {
    const node = settledLeader({ term: 4, ...patience })
      .reads(1)
      .waits(30)
      .reads(2)
      .waits(29)
      .heartbeatDue()
    expect(node.actions).toEqual([])
    node.waits(1).heartbeatDue()
    expect(node.actions).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
    node.receives("n2", heard({ round: 2 }))
    expect(node.actions).toEqual([confirmed([2], 1)])
  })

  it("a follower stops asking a leader that does not answer", () => {
    const node = followerOf("n2", { term: 4, ...patience })
      .reads(1)
      .waits(59)
      .happens({ _tag: "ReadRetryDue" })
    expect(node.sent).toEqual([["n2", Build.readIndex({ term: 4, requestId: 0 })]])
    node.waits(1).happens({ _tag: "ReadRetryDue" })
    expect(node.actions).toEqual([{ _tag: "ReadsRefused", readIds: [1] }])
    node.receives("n2", Build.readIndexReply({ term: 4, requestId: 0, readIndex: 0 }))
    expect(node.actions).toEqual([])
  })
})
