/**
 * Agreement: scenarios A04 to A13 of the 6.5840 labs (part 3B).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LogIndex } from "../../src/LogIndex.ts"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { lab, labElectionTimeoutMillis, next } from "./LabHarness.ts"
import type { Lab } from "./LabHarness.ts"

const everywhere = (lab: Lab) => ({ expectedServers: lab.servers.length, retry: true })

lab(
  "A04 basic agreement: commands 1, 2, 3, and none is committed before it is proposed",
  { size: 3 },
  (lab) =>
    Effect.gen(function* () {
      let last = yield* lab.one("1", { expectedServers: 3, retry: false }).pipe(Effect.delay("2 seconds"))
      assert.strictEqual(lab.placeOf(last), 1)
      for (const place of [2, 3]) {
        assert.strictEqual(lab.nCommitted(next(last)).count, 0)
        const index = yield* lab.one(`${place}`, { expectedServers: 3, retry: false })
        assert.strictEqual(index, next(last))
        assert.strictEqual(lab.placeOf(index), place)
        last = index
      }
    })
)

lab("A05 a command travels to each peer once: bytes on the wire", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("99", everywhere(lab))
    const before = lab.bytes()
    let payloadBytes = 0
    for (let i = 0; i < 10; i++) {
      const command = `${i}`.repeat(5000)
      yield* lab.one(command, { expectedServers: 3, retry: false })
      payloadBytes += command.length
    }
    assert.isAtMost(lab.bytes() - before, 3 * payloadBytes + 50_000)
    assert.isAtLeast(lab.bytes() - before, 2 * payloadBytes)
  })
)

lab(
  "A05 bytes on the wire while answers are slow: what is under way is not sent again",
  { size: 3, network: { ...LinkFaults.reliable, replyDelayMillis: [50, 50] } },
  (lab) =>
    Effect.gen(function* () {
      yield* lab.one("99", everywhere(lab))
      const leader = yield* lab.checkOneLeader
      const before = lab.bytes()
      let last: LogIndex | undefined
      for (let i = 0; i < 10; i++) {
        last = (yield* lab.submitAtLeader(leader, `${i}`.repeat(5000))).index
        yield* Effect.sleep(1)
      }
      while (lab.nCommitted(last!).count < 3) yield* Effect.sleep(5)
      assert.isAtMost(lab.bytes() - before, 3 * 50_000 + 50_000)
    })
)

lab("A06 followers fail: progress with one gone, none with two", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("101", everywhere(lab))
    const leader = yield* lab.checkOneLeader
    lab.disconnect(lab.after(leader, 1))
    yield* lab.one("102", { expectedServers: 2, retry: false })
    yield* Effect.sleep(labElectionTimeoutMillis)
    yield* lab.one("103", { expectedServers: 2, retry: false })

    lab.disconnect(lab.after(leader, 2))
    const { index } = yield* lab.submitAtLeader(leader, "104")
    assert.strictEqual(lab.placeOf(index), 3)
    yield* Effect.sleep(2 * labElectionTimeoutMillis)
    assert.strictEqual(lab.nCommitted(index).count, 0)
  })
)

lab("A07 leaders fail: progress without the first, none without the second", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("101", everywhere(lab))
    const first = yield* lab.checkOneLeader
    lab.disconnect(first)
    yield* lab.one("102", { expectedServers: 2, retry: true })
    yield* Effect.sleep(labElectionTimeoutMillis)
    yield* lab.one("103", { expectedServers: 2, retry: true })

    const second = yield* lab.checkOneLeader
    lab.disconnect(second)
    const { index } = yield* lab.submitAtLeader(second, "104")
    yield* Effect.sleep(2 * labElectionTimeoutMillis)
    assert.strictEqual(lab.nCommitted(index).count, 0)
  })
)

lab("A08 a follower that was away agrees again", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("101", everywhere(lab))
    const away = lab.after(yield* lab.checkOneLeader, 1)
    lab.disconnect(away)
    yield* lab.one("102", { expectedServers: 2, retry: false })
    yield* lab.one("103", { expectedServers: 2, retry: false })
    yield* Effect.sleep(labElectionTimeoutMillis)
    yield* lab.one("104", { expectedServers: 2, retry: false })

    lab.connect(away)
    yield* lab.one("105", everywhere(lab))
    yield* Effect.sleep(labElectionTimeoutMillis)
    yield* lab.one("106", everywhere(lab))
    assert.deepStrictEqual(lab.commands(away), ["101", "102", "103", "104", "105", "106"])
  })
)

lab("A09 no agreement without a quorum, and all agree after the repair", { size: 5 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("10", everywhere(lab))
    const leader = yield* lab.checkOneLeader
    const away = [1, 2, 3].map((steps) => lab.after(leader, steps))
    away.forEach(lab.disconnect)
    const { index } = yield* lab.submitAtLeader(leader, "20")
    yield* Effect.sleep(2 * labElectionTimeoutMillis)
    assert.strictEqual(lab.nCommitted(index).count, 0)

    // The three may have elected a leader that never heard of "20": then it is replaced, else it stays.
    away.forEach(lab.connect)
    yield* lab.submitAtLeader(yield* lab.checkOneLeader, "30")
    yield* lab.one("1000", everywhere(lab))
    for (const server of lab.servers) {
      const commands = lab.commands(server).filter((command) => command !== "20")
      assert.deepStrictEqual(commands, ["10", "30", "1000"])
    }
  })
)

lab("A10 five concurrent proposals in one term all commit", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    const leader = yield* lab.checkOneLeader
    const commands = ["100", "101", "102", "103", "104"]
    const positions = yield* Effect.forEach(commands, (command) => lab.submitAtLeader(leader, command), {
      concurrency: "unbounded"
    })
    assert.strictEqual(new Set(positions.map(({ term }) => term)).size, 1)
    assert.strictEqual(new Set(positions.map(({ index }) => index)).size, 5)
    yield* Effect.sleep(100)
    positions.forEach(({ index }, i) => {
      assert.deepStrictEqual(lab.nCommitted(index), { count: 3, command: commands[i] })
    })
  })
)

lab("A11 a partitioned leader's uncommitted entries disappear when it rejoins", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    yield* lab.one("101", everywhere(lab))
    const first = yield* lab.checkOneLeader
    lab.disconnect(first)
    for (const lost of ["102", "103", "104"]) yield* lab.submitAtLeader(first, lost)
    yield* lab.one("203", { expectedServers: 2, retry: true })

    const second = yield* lab.checkOneLeader
    lab.disconnect(second)
    lab.connect(first)
    yield* lab.one("204", { expectedServers: 2, retry: true })
    lab.connect(second)
    yield* lab.one("205", everywhere(lab))
    for (const server of lab.servers) {
      assert.deepStrictEqual(lab.commands(server), ["101", "203", "204", "205"])
    }
  })
)

lab("A12 a leader backs up quickly over wrong logs", { size: 5 }, (lab) =>
  Effect.gen(function* () {
    const submitFifty = (leader: NodeId) =>
      Effect.forEach(Array.from({ length: 50 }, lab.newCommand), (command) =>
        lab.submitAtLeader(leader, command)
      )
    const agreeOnFifty = (expectedServers: number) =>
      Effect.forEach(Array.from({ length: 50 }, lab.newCommand), (command) =>
        lab.one(command, { expectedServers, retry: true })
      )
    yield* lab.one(lab.newCommand(), everywhere(lab))

    // The leader and one follower gather fifty entries that cannot commit.
    const first = yield* lab.checkOneLeader
    const [second, third, fourth, fifth] = [1, 2, 3, 4].map((steps) => lab.after(first, steps)) as [
      NodeId,
      NodeId,
      NodeId,
      NodeId
    ]
    ;[third, fourth, fifth].forEach(lab.disconnect)
    yield* submitFifty(first)
    yield* Effect.sleep(labElectionTimeoutMillis / 2)

    // The other three agree on fifty entries of their own.
    ;[first, second].forEach(lab.disconnect)
    ;[third, fourth, fifth].forEach(lab.connect)
    yield* agreeOnFifty(3)

    // Their leader and one of them gather fifty more that cannot commit.
    const leader = yield* lab.checkOneLeader
    const other = leader === third ? fourth : third
    lab.disconnect(other)
    yield* submitFifty(leader)
    yield* Effect.sleep(labElectionTimeoutMillis / 2)

    // The first two come back with the one that was left out, and must be brought to its log.
    lab.servers.forEach(lab.disconnect)
    ;[first, second, other].forEach(lab.connect)
    yield* agreeOnFifty(3)

    lab.servers.forEach(lab.connect)
    yield* lab.one(lab.newCommand(), everywhere(lab))
  })
)

for (const conflicts of [5, 500]) {
  lab(
    `A12 round trips to repair a follower with ${conflicts} wrong entries of one term`,
    { size: 3 },
    (lab) =>
      Effect.gen(function* () {
        const submitMany = (leader: NodeId) =>
          Effect.forEach(Array.from({ length: conflicts }, lab.newCommand), (command) =>
            lab.submitAtLeader(leader, command)
          )
        yield* lab.one("first", everywhere(lab))
        const deposed = yield* lab.checkOneLeader
        lab.disconnect(deposed)
        yield* submitMany(deposed)
        const second = yield* lab.checkOneLeader
        yield* submitMany(second)
        yield* lab.one("second", { expectedServers: 2, retry: true })
        // The next leader begins to look at the end of its log, far behind the point where the two agree.
        yield* lab.crash(second)
        yield* lab.start(second)
        yield* lab.one("third", { expectedServers: 2, retry: true })

        const rejections = () =>
          lab.cluster.network.traffic({ from: deposed, tag: "AppendRejected" }).messages
        const before = rejections()
        lab.connect(deposed)
        yield* lab.one("fourth", everywhere(lab))
        assert.isAtLeast(rejections() - before, 1)
        assert.isAtMost(rejections() - before, 4)
        assert.strictEqual(lab.commands(deposed).length, conflicts + 4)
      })
  )
}

lab("A13 requests are few: to elect, for ten entries, in an idle second", { size: 3 }, (lab) =>
  Effect.gen(function* () {
    const leader = yield* lab.checkOneLeader
    assert.isAtMost(lab.rpcs(), 30)
    assert.isAtLeast(lab.rpcs(), 1)

    const beforeEntries = lab.rpcs()
    const positions = yield* Effect.forEach(Array.from({ length: 10 }, lab.newCommand), (command) =>
      lab.submitAtLeader(leader, command)
    )
    while (positions.some(({ index }) => lab.nCommitted(index).count < 3)) yield* Effect.sleep(5)
    assert.isAtMost(lab.rpcs() - beforeEntries, 42)

    const beforeIdle = lab.rpcs()
    yield* Effect.sleep(1000)
    assert.isAtMost(lab.rpcs() - beforeIdle, 60)
  })
)
