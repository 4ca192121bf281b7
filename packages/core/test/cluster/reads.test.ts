/**
 * Reads: what they must see, when they are refused, and that they always end (paper, section 8; thesis, 6.4).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const journal = (all: ReadonlyArray<string>) => all

const readAt = (cluster: JournalCluster, nodeId: NodeId) =>
  Effect.suspend(() => cluster.raft(nodeId).read(journal))

const followersOf = (cluster: JournalCluster, leader: NodeId) =>
  cluster.nodeIds.filter((nodeId) => nodeId !== leader) as [NodeId, NodeId]

const { reliable, unreliable, longReordering } = LinkFaults

for (const [kind, network] of Object.entries({ reliable, unreliable, longReordering })) {
  clusterTest(
    `a read anywhere sees every write that was answered before it (${kind})`,
    { size: 3, network },
    (cluster) =>
      Effect.gen(function* () {
        yield* cluster.awaitLeader()
        const answered: Array<string> = []
        for (let i = 0; i < 40; i++) {
          const [writer, reader] = yield* Random.shuffle(cluster.nodeIds)
          const written = yield* Effect.result(cluster.propose(`${i}`, writer))
          if (Result.isSuccess(written)) answered.push(`${i}`)
          const read = yield* Effect.result(cluster.read(journal, reader))
          if (Result.isSuccess(read)) {
            assert.deepStrictEqual(
              answered.filter((command) => !read.success.includes(command)),
              []
            )
          }
        }
        assert.isAtLeast(answered.length, 20)
      })
  )
}

clusterTest("a read costs neither an entry nor a write", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    yield* cluster.propose("x", leader)
    const writes = Effect.forEach(cluster.nodeIds, (nodeId) =>
      cluster.disk.acknowledgedWrites(cluster.identityOf(nodeId))
    )
    const before = [yield* writes, cluster.state(leader).log.lastIndex]
    for (const nodeId of cluster.nodeIds) {
      assert.deepStrictEqual(yield* cluster.read(journal, nodeId), ["x"])
    }
    assert.deepStrictEqual([yield* writes, cluster.state(leader).log.lastIndex], before)
  })
)

clusterTest(
  "B43 a read at a new leader waits for the first commit of its term, and is answered",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const first = yield* cluster.awaitLeader()
      yield* cluster.propose("x", first)
      cluster.network.configure({ requestDelayMillis: [10, 10], replyDelayMillis: [10, 10] })
      const others = followersOf(cluster, first)
      yield* cluster.kill(first)
      yield* cluster.until("somebody wins", () => cluster.leaders().length === 1)
      const [leader] = cluster.leaders() as [NodeId]
      const follower = others.find((nodeId) => nodeId !== leader)!
      // Its no-op cannot become durable anywhere else.
      yield* cluster.disk.hang(cluster.identityOf(follower))
      const reads = yield* Effect.forEach([leader, follower], (nodeId) =>
        Effect.forkChild(readAt(cluster, nodeId), { startImmediately: true })
      )
      yield* cluster.advance("1 second")
      for (const read of reads) assert.isUndefined(read.pollUnsafe())
      yield* cluster.disk.release(cluster.identityOf(follower))
      assert.deepStrictEqual(yield* cluster.drive(Fiber.joinAll(reads)), [["x"], ["x"]])
    })
)

for (const checkQuorum of [true, false]) {
  clusterTest(
    `B45 a deposed leader never answers a linearizable read (checkQuorum: ${checkQuorum})`,
    { size: 5, config: { checkQuorum } },
    (cluster) =>
      Effect.gen(function* () {
        const deposed = yield* cluster.awaitLeader()
        yield* cluster.propose("old", deposed)
        cluster.network.isolate(deposed)
        const early = yield* Effect.forkChild(Effect.result(readAt(cluster, deposed)), {
          startImmediately: true
        })
        const leader = yield* cluster.awaitLeader({
          among: cluster.nodeIds.filter((nodeId) => nodeId !== deposed)
        })
        yield* cluster.propose("new", leader)
        const late = yield* Effect.forkChild(Effect.result(readAt(cluster, deposed)), {
          startImmediately: true
        })
        yield* cluster.advance("1 second")
        for (const read of [early, late]) assert.isUndefined(read.pollUnsafe())

        cluster.network.rejoin(deposed)
        assert.deepStrictEqual(yield* cluster.drive(Fiber.join(late)), Result.succeed(["old", "new"]))
        const first = yield* cluster.drive(Fiber.join(early))
        if (Result.isSuccess(first)) assert.deepStrictEqual(first.success, ["old", "new"])
      })
  )
}

/** The request timeout, and the heartbeat interval after which the node next looks at who still waits. */
const withinRequestTimeout = { within: "3105 millis" } as const

clusterTest("without a quorum a read ends with a reason within the request timeout", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [alone, dead] = followersOf(cluster, leader)
    yield* cluster.kill(dead)
    cluster.network.isolate(alone)
    const reads = yield* Effect.forEach([leader, alone], (nodeId) =>
      Effect.forkChild(Effect.flip(readAt(cluster, nodeId)), { startImmediately: true })
    )
    const errors = yield* cluster.drive(Fiber.joinAll(reads), withinRequestTimeout)
    assert.deepStrictEqual(
      errors.map((error) => error.reason._tag),
      ["NoLeader", "NoLeader"]
    )
    assert.isEmpty(errors.filter((error) => error.outcome !== "none"))
  })
)

clusterTest(
  "a read of a follower that the leader does not hear ends within the request timeout",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const [mute] = followersOf(cluster, leader)
      yield* cluster.propose("x", mute)
      cluster.network.cut({ from: mute, to: leader })
      const error = yield* cluster.drive(Effect.flip(readAt(cluster, mute)), withinRequestTimeout)
      assert.strictEqual(error.reason._tag, "NoLeader")
    })
)

clusterTest("a follower's read survives a lost question and a lost answer", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [follower] = followersOf(cluster, leader)
    yield* cluster.propose("x", leader)
    for (const [from, to] of [
      [follower, leader],
      [leader, follower]
    ] as const) {
      cluster.network.cut({ from, to })
      const read = yield* Effect.forkChild(readAt(cluster, follower), { startImmediately: true })
      yield* cluster.advance("50 millis")
      assert.isUndefined(read.pollUnsafe())
      cluster.network.mend({ from, to })
      assert.deepStrictEqual(yield* cluster.drive(Fiber.join(read), { within: "300 millis" }), ["x"])
    }
  })
)

clusterTest("a read whose leader dies is answered under the next one", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [follower] = followersOf(cluster, leader)
    yield* cluster.propose("x", leader)
    cluster.network.cut({ from: leader, to: follower })
    const read = yield* Effect.forkChild(readAt(cluster, follower), { startImmediately: true })
    yield* cluster.advance("10 millis")
    yield* cluster.kill(leader)
    assert.deepStrictEqual(yield* cluster.drive(Fiber.join(read), { within: "3 seconds" }), ["x"])
  })
)

clusterTest("a stale read is answered always and at once, and may be old", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [alone, other] = followersOf(cluster, leader)
    yield* cluster.propose("old", leader)
    yield* cluster.until("all have it", () => cluster.applied(alone).length === 2)
    cluster.network.isolate(alone)
    yield* cluster.propose("new", leader)
    const stale = (nodeId: NodeId) => cluster.raft(nodeId).read(journal, { consistency: "stale" })
    assert.deepStrictEqual(yield* stale(alone), ["old"])
    yield* cluster.kill(leader)
    yield* cluster.kill(other)
    yield* cluster.advance("3 seconds")
    assert.deepStrictEqual(yield* stale(alone), ["old"])

    yield* cluster.stop(alone)
    assert.strictEqual((yield* Effect.flip(stale(alone))).reason._tag, "ShuttingDown")
  })
)
