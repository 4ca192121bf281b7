/**
 * Which membership is in force where in the log (paper, sections 6 and 7).
 */
import { describe, expect, it } from "vitest"
import * as Build from "./Build.ts"
import { add, agree, promote, remove, settled } from "./Changes.ts"
import { follower, followerOf } from "./Harness.ts"

describe("a configuration is in force as soon as it is in the log (section 6)", () => {
  it("a leader goes by it at once, and the change is not over yet", () => {
    const node = settled().changes(add("n4"))
    expect(node.members).toBe("n1 n2 n3 | n4")
    expect(node.actionsOf("MembershipAppended")).toMatchObject([{ requestId: 1, index: 2, term: 2 }])
    expect(node.actionsOf("MembershipSettled")).toEqual([])
  })

  it("is over when it is committed", () => {
    const node = settled()
      .changes(add("n4"))
      .receives("n2", Build.accepted({ term: 2, match: 2 }))
    expect(node.actionsOf("MembershipSettled")).toMatchObject([{ index: 2 }])
  })

  it("the leader knows nothing of the new member and begins to send it the log", () => {
    const node = settled().changes(add("n4"))
    expect(node.progress("n4")).toMatchObject({ mode: "Probe", matchIndex: 0, nextIndex: 3 })
    expect(node.replicatesTo("n4")).toHaveLength(1)
  })

  it("one that was a member before is as unknown as any other: its disk may be another one", () => {
    const node = agree(agree(settled({ learners: 1 }).changes(remove("n4")), "n2").changes(add("n4")), "n2")
    expect(node.progress("n4")).toMatchObject({ mode: "Probe", matchIndex: 0 })
  })

  it("a follower goes by it before it hears that it is committed", () => {
    const four = Build.configuration({ index: 1, term: 2 }, Build.membership({ voters: 4 }))
    const node = follower({ term: 2 }).receives(
      "n2",
      Build.appendEntries({ term: 2, prev: Build.start, blocks: [four] })
    )
    expect([node.members, node.state.commitIndex]).toEqual(["n1 n2 n3 n4", 0])
  })

  it("the majority is counted by the new set from its own entry on", () => {
    const node = settled({ learners: 1 }).changes(promote("n4"))
    node.receives("n2", Build.accepted({ term: 2, match: 2 }))
    expect(node.state.commitIndex).toBe(1)
    node.receives("n4", Build.accepted({ term: 2, match: 2 }))
    expect(node.state.commitIndex).toBe(2)
  })

  it("is in force again after a restart", () => {
    const node = settled().changes(add("n4")).crashesAndRestarts()
    expect(node.members).toBe("n1 n2 n3 | n4")
  })

  it("without being durable it is not", () => {
    const node = settled().withSlowDisk().changes(add("n4")).crashesAndRestarts()
    expect(node.members).toBe("n1 n2 n3")
  })
})

describe("B32: a configuration that is cut away restores the one before it", () => {
  const withConfiguration = () =>
    followerOf("n2", { term: 2, log: [1] }).receives(
      "n2",
      Build.appendEntries({
        term: 2,
        prev: { index: 1, term: 1 },
        blocks: [Build.configuration({ index: 2, term: 2 }, Build.membership({ voters: 4 }))]
      })
    )

  it("where it stood at the cut", () => {
    const node = withConfiguration()
    node.receives("n3", Build.appendEntries({ term: 3, prev: { index: 1, term: 1 }, entries: [3] }))
    expect([node.log, node.members]).toEqual([[1, 3], "n1 n2 n3"])
  })

  it("where it stood behind the cut", () => {
    const node = withConfiguration()
    node.receives("n3", Build.appendEntries({ term: 3, prev: Build.start, entries: [3, 3] }))
    expect([node.log, node.members]).toEqual([[3, 3], "n1 n2 n3"])
  })

  it("but not where the cut is behind it", () => {
    const node = withConfiguration()
    node.receives("n2", Build.appendEntries({ term: 2, prev: { index: 2, term: 2 }, entries: [2] }))
    node.receives("n3", Build.appendEntries({ term: 3, prev: { index: 2, term: 2 }, entries: [3] }))
    expect([node.log, node.members]).toEqual([[1, 2, 3], "n1 n2 n3 n4"])
  })

  it("also after a restart", () => {
    const node = withConfiguration().crashesAndRestarts()
    expect(node.members).toBe("n1 n2 n3 n4")
    node.receives("n3", Build.appendEntries({ term: 3, prev: { index: 1, term: 1 }, entries: [3] }))
    expect(node.members).toBe("n1 n2 n3")
  })
})

describe("snapshots carry the configuration of their index (section 7)", () => {
  it("one that is installed brings its own", () => {
    const node = followerOf("n2", { term: 2, log: [1] })
    node.hasReceived("n2", { index: 5, term: 2 }, { membership: Build.membership({ voters: 5 }) })
    expect(node.members).toBe("n1 n2 n3 n4 n5")
  })

  it("the configurations behind it stay in force", () => {
    const node = followerOf("n2", { term: 2, log: [1] })
    const configuration = Build.configuration({ index: 2, term: 2 }, Build.membership({ voters: 4 }))
    node.receives(
      "n2",
      Build.appendEntries({ term: 2, prev: { index: 1, term: 1 }, blocks: [configuration], commit: 0 })
    )
    node.hasReceived("n2", { index: 1, term: 1 }, { membership: Build.membership({ voters: 3 }) })
    expect(node.members).toBe("n1 n2 n3 n4")
  })

  it("a log that the snapshot replaces takes its configurations with it", () => {
    const node = followerOf("n2", { term: 2, log: [1] })
    const configuration = Build.configuration({ index: 2, term: 2 }, Build.membership({ voters: 4 }))
    node.receives(
      "n2",
      Build.appendEntries({ term: 2, prev: { index: 1, term: 1 }, blocks: [configuration] })
    )
    node.hasReceived("n3", { index: 2, term: 3 }, { membership: Build.membership({ voters: 3 }) })
    expect(node.members).toBe("n1 n2 n3")
  })

  it("a log without its beginning remembers what was in force there", () => {
    const node = agree(settled({ config: { snapshotTrailingEntries: 0 } }).changes(add("n4")), "n2")
    node.hasTaken({ index: 2, term: 2 })
    expect([node.base.index, node.members]).toEqual([2, "n1 n2 n3 | n4"])
    expect(node.state.configurations.later).toEqual([])
  })
})
