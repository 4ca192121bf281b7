/**
 * Time in the log: slewed, never stepped, never back. Sessions expire by it (thesis, section 6.3), "in a
 * deterministic way" and not because a leader's clock was set.
 */
import { describe, expect, it } from "vitest"
import * as LogEntry from "../../src/LogEntry.ts"
import * as Build from "./Build.ts"
import { follower, index, leader, term, type Subject } from "./Harness.ts"

const hourMillis = 3_600_000

/** What time a command gets that is proposed now. */
const timeOfCommand = (node: Subject): number => node.proposes("x").lastTimestampMillis

/** A second in office, with a heartbeat every 20 ms that is answered. */
const rulesForASecond = (node: Subject): Subject => {
  for (let beat = 0; beat < 50; beat++)
    node
      .waits(20)
      .heartbeatDue()
      .receives("n2", Build.accepted({ term: 4, match: 1 }))
  return node
}

/** Stands for election in term 4, and wins. */
const wins = (node: Subject): Subject =>
  node
    .timesOut()
    .receives("n2", Build.preVoteReply({ term: 3, requestedTerm: 4, granted: true }))
    .receives("n2", Build.voteReply({ term: 4, granted: true }))

describe("time in the log", () => {
  it("is the leader's wall clock while that goes as its monotonic clock does", () => {
    const node = wins(follower({ term: 3 }).setsClock(7 * hourMillis))
    const began = timeOfCommand(rulesForASecond(node))
    expect(timeOfCommand(node.waits(30)) - began).toBe(30)
    expect(timeOfCommand(rulesForASecond(node)) - began).toBe(1_030)
  })

  it("goes at most twice as fast as the leader's monotonic clock, however far its wall clock jumps ahead", () => {
    const node = leader({ term: 4 })
    const before = timeOfCommand(node)
    node.setsClock(2 * hourMillis)
    expect(timeOfCommand(node) - before).toBe(0)
    expect(timeOfCommand(node.waits(10)) - before).toBe(20)
    expect(timeOfCommand(rulesForASecond(node)) - before).toBe(2_020)
  })

  it("has caught up with a wall clock that jumped ahead, and then goes with it", () => {
    const node = leader({ term: 4 })
    const before = timeOfCommand(node)
    rulesForASecond(rulesForASecond(node.setsClock(1_000)))
    expect(timeOfCommand(node) - before).toBe(3_000)
  })

  it("goes half as fast as the leader's monotonic clock after its wall clock jumped back", () => {
    const node = leader({ term: 4 }).setsClock(hourMillis)
    const before = timeOfCommand(rulesForASecond(rulesForASecond(node)))
    node.setsClock(-hourMillis)
    expect(timeOfCommand(node)).toBe(before)
    expect(timeOfCommand(rulesForASecond(node)) - before).toBe(500)
  })

  it("never goes back, also when the wall clock goes to and fro between two heartbeats", () => {
    const node = leader({ term: 4 })
    const times = [0, 5, -5, 40, -40, 1, -1].map((offset) => timeOfCommand(node.setsClock(offset).waits(1)))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  it("goes on from the log's under a new leader whose clock is behind, and from a snapshot's", () => {
    const first = { firstIndex: index(1), term: term(3), timestampMillis: hourMillis }
    const blocks = [LogEntry.encodeBlock([Build.command("x")], first)]
    const heard = follower({ term: 3 }).receives(
      "n2",
      Build.appendEntries({ term: 3, prev: Build.start, blocks })
    )
    expect(wins(heard).lastTimestampMillis).toBe(hourMillis)
    expect(timeOfCommand(heard.waits(100))).toBe(hourMillis + 50)
    const restored = follower({ term: 3, config: { snapshotTrailingEntries: 0 } })
    restored.hasReceived("n2", { index: 3, term: 1 }, { timestampMillis: hourMillis })
    expect(wins(restored).lastTimestampMillis).toBe(hourMillis)
  })

  it("takes up a new leader's clock at once: nobody knows how long there was no leader", () => {
    const node = wins(follower({ term: 3 }).setsClock(hourMillis))
    expect(node.lastTimestampMillis - node.nowMillis).toBe(hourMillis)
  })
})
