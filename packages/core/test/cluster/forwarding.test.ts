/**
 * Commands that a node passes on to the leader: answered once, applied at most once, and honest about
 * what is not known.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

/** The request timeout, and the next turn of the node, which a heartbeat brings at the latest. */
const givenUpWithin = "3105 millis"

const journal = (all: ReadonlyArray<string>) => all

const elect = (cluster: JournalCluster) =>
  Effect.map(cluster.awaitLeader(), (leader) => {
    const followers = cluster.nodeIds.filter((nodeId) => nodeId !== leader)
    return { leader, follower: followers[0]!, other: followers[1]! }
  })

const proposing = (cluster: JournalCluster, nodeId: NodeId, command: string) =>
  Effect.forkChild(cluster.raft(nodeId).propose(command), { startImmediately: true })

clusterTest("every node takes commands, and tells where they stand", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    yield* elect(cluster)
    const places = yield* Effect.forEach(cluster.nodeIds, (nodeId) =>
      cluster.drive(cluster.raft(nodeId).proposeAt(nodeId))
    )
    assert.deepStrictEqual(
      places.map(({ index, reply }) => [index, reply]),
      [
        [2, 0],
        [3, 1],
        [4, 2]
      ]
    )
    assert.strictEqual(new Set(places.map(({ term }) => term)).size, 1)
  })
)

clusterTest("submit passes nothing on", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, follower } = yield* elect(cluster)
    const error = yield* Effect.flip(cluster.raft(follower).submit("x"))
    assert.deepInclude(error.reason, { _tag: "NotLeader", leader })
    assert.strictEqual(error.outcome, "none")
  })
)

clusterTest(
  "a lost answer: the outcome is unknown after the request timeout, and the command stands once",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, follower } = yield* elect(cluster)
      cluster.network.configureLink({ from: leader, to: follower }, { replyLoss: 1 })
      const call = cluster.raft(follower).propose("x")
      const error = yield* cluster.drive(Effect.flip(call), { within: givenUpWithin })
      assert.strictEqual(error.reason._tag, "OutcomeUnknown")
      assert.strictEqual(error.outcome, "unknown")
      assert.deepStrictEqual(yield* cluster.read(journal, leader), ["x"])
    })
)

clusterTest("a lost question: the outcome is unknown after the request timeout", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, follower } = yield* elect(cluster)
    cluster.network.cut({ from: follower, to: leader })
    const call = cluster.raft(follower).propose("x")
    const error = yield* cluster.drive(Effect.flip(call), { within: givenUpWithin })
    assert.strictEqual(error.reason._tag, "OutcomeUnknown")
    assert.deepStrictEqual(yield* cluster.read(journal, leader), [])
  })
)

clusterTest("a broken connection ends the wait at once", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, follower, other } = yield* elect(cluster)
    // Nothing commits, so there is no answer.
    for (const nodeId of [follower, other]) yield* cluster.disk.hang(cluster.identityOf(nodeId))
    const call = yield* proposing(cluster, follower, "x")
    yield* cluster.advance("10 millis")
    assert.isUndefined(call.pollUnsafe())
    yield* cluster.kill(leader)
    const error = yield* cluster.drive(Effect.flip(Fiber.join(call)), { within: "5 millis" })
    assert.strictEqual(error.reason._tag, "OutcomeUnknown")
  })
)

clusterTest("a leader that steps down says of what it took that it does not know", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, follower, other } = yield* elect(cluster)
    for (const nodeId of [follower, other]) yield* cluster.disk.hang(cluster.identityOf(nodeId))
    const call = yield* proposing(cluster, follower, "x")
    yield* cluster.advance("10 millis")
    // Its questions are heard, their answers are not: it steps down, and can still speak.
    cluster.network.cut({ from: follower, to: leader })
    cluster.network.cut({ from: other, to: leader })
    const error = yield* cluster.drive(Effect.flip(Fiber.join(call)), { within: "1 second" })
    assert.strictEqual(error.reason._tag, "OutcomeUnknown")
    if (error.reason._tag === "OutcomeUnknown") assert.strictEqual(error.reason.index, 2)
  })
)

clusterTest(
  "a node that is no longer the leader refuses, and the next one takes the command",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, follower, other } = yield* elect(cluster)
      // The leader hears nobody and steps down; the follower hears no heartbeat of its successor in between.
      cluster.network.cut({ from: other, to: leader })
      cluster.network.cut({ from: follower, to: leader })
      yield* cluster.until("it steps down", () => cluster.leaders().length === 0)
      assert.notStrictEqual(cluster.state(leader).role._tag, "Leader")
      cluster.network.heal()
      const call = yield* proposing(cluster, follower, "x")
      assert.strictEqual(yield* cluster.drive(Fiber.join(call), { within: "3 seconds" }), 0)
      assert.deepStrictEqual(yield* cluster.read(journal, follower), ["x"])
    })
)

clusterTest(
  "an overloaded leader says so to the node that asked",
  { size: 3, config: { maxUncommittedBytes: 1 } },
  (cluster) =>
    Effect.gen(function* () {
      const { leader, follower, other } = yield* elect(cluster)
      for (const nodeId of [follower, other]) yield* cluster.disk.hang(cluster.identityOf(nodeId))
      yield* proposing(cluster, leader, "fills it up")
      yield* cluster.advance("10 millis")
      const error = yield* cluster.drive(Effect.flip(cluster.raft(follower).propose("x")), {
        within: "100 millis"
      })
      assert.strictEqual(error.reason._tag, "Overloaded")
      for (const nodeId of [follower, other]) yield* cluster.disk.release(cluster.identityOf(nodeId))
      yield* cluster.advance("100 millis")
      assert.deepStrictEqual(yield* cluster.read(journal), ["fills it up"])
    })
)

clusterTest(
  "a doubled or late message does not apply a command twice",
  { size: 3, network: { ...LinkFaults.unreliable, duplication: 0.5 } },
  (cluster) =>
    Effect.gen(function* () {
      yield* elect(cluster)
      const commands = Array.from({ length: 60 }, (_, i) => `${i}`)
      const results = yield* cluster.drive(
        Effect.forEach(
          commands,
          (command, i) =>
            Effect.result(Effect.suspend(() => cluster.raft(cluster.nodeIds[i % 3]!).propose(command))),
          { concurrency: 6 }
        ),
        { within: "2 minutes" }
      )
      cluster.network.configure(LinkFaults.reliable)
      yield* cluster.advance("3 seconds")
      const log = yield* cluster.read(journal)
      assert.strictEqual(new Set(log).size, log.length, "a command was applied twice")
      results.forEach((result, i) => {
        if (Result.isSuccess(result)) assert.strictEqual(log[result.success], commands[i])
        else if (result.failure.outcome === "none") assert.notInclude(log, commands[i])
      })
    })
)

clusterTest("the leader changes under a stream of forwarded commands", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const { leader, follower } = yield* elect(cluster)
    const commands = Array.from({ length: 100 }, (_, i) => `${i}`)
    const calls = yield* Effect.forEach(commands, (command, i) =>
      Effect.suspend(() => cluster.raft(follower).propose(command)).pipe(
        Effect.delay(i * 20),
        Effect.result,
        Effect.forkChild
      )
    )
    yield* cluster.advance("500 millis")
    yield* cluster.stop(leader)
    yield* cluster.advance("700 millis")
    yield* cluster.start(leader)
    const results = yield* cluster.drive(Fiber.joinAll(calls))
    const log = yield* cluster.read(journal)
    assert.strictEqual(new Set(log).size, log.length, "a command was applied twice")
    results.forEach((result, i) => {
      if (Result.isSuccess(result)) assert.strictEqual(log[result.success], commands[i])
      else assert.strictEqual(result.failure.reason._tag, "OutcomeUnknown")
    })
    // Those that found no leader were held until there was one.
    assert.isAtLeast(results.filter(Result.isSuccess).length, 97)
  })
)
