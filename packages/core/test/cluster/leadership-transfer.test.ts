/**
 * Whole clusters whose leader hands over (thesis, section 3.10).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const othersOf = (cluster: JournalCluster, leader: string) =>
  cluster.nodeIds.filter((nodeId) => nodeId !== leader)

clusterTest(
  "the leadership goes to whom it is meant for, much sooner than an election takes",
  { size: 5 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* cluster.propose("before")
      for (const to of othersOf(cluster, leader)) {
        const from = yield* cluster.awaitLeader()
        const next = yield* cluster.drive(cluster.raft(from).transferLeadership({ to }), {
          within: "100 millis"
        })
        assert.strictEqual(next, to)
        yield* cluster.propose(`led by ${to}`, from)
      }
      assert.lengthOf(yield* cluster.read((journal) => journal), 5)
    })
)

clusterTest(
  "to the best follower where nobody is named, and no command is lost or refused",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const busy = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 200 }, (_, i) => `${i}`),
          (command) => Effect.andThen(cluster.raft(cluster.nodeIds[0]!).propose(command), Effect.sleep(1))
        ),
        { startImmediately: true }
      )
      yield* cluster.advance("50 millis")
      const next = yield* cluster.drive(cluster.raft(leader).transferLeadership())
      assert.notStrictEqual(next, leader)
      yield* cluster.drive(Fiber.join(busy))
      assert.lengthOf(yield* cluster.read((journal) => journal), 200)
    })
)

clusterTest(
  "B48: a transfer to a dead node gives up within an election timeout, and commands go on",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const [dead] = othersOf(cluster, leader)
      yield* cluster.kill(dead!)
      const handing = yield* Effect.forkChild(
        Effect.result(cluster.raft(leader).transferLeadership({ to: dead! })),
        { startImmediately: true }
      )
      yield* cluster.advance("20 millis")
      assert.strictEqual((yield* cluster.raft(leader).status).transferTo, dead)
      const waiting = yield* Effect.forkChild(cluster.raft(leader).propose("meanwhile"), {
        startImmediately: true
      })
      const outcome = yield* cluster.drive(Fiber.join(handing), { within: "500 millis" })
      assert.isTrue(Result.isFailure(outcome) && outcome.failure.reason._tag === "TransferFailed")
      yield* cluster.drive(Fiber.join(waiting), { within: "50 millis" })
      assert.deepStrictEqual(cluster.leaders(), [leader])
    })
)

clusterTest("B48: a transfer to a node that lags too far gives up too", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [lagging] = othersOf(cluster, leader)
    cluster.network.cut({ from: leader, to: lagging! })
    yield* cluster.propose("it does not hear", leader)
    const outcome = yield* cluster.drive(
      Effect.result(cluster.raft(leader).transferLeadership({ to: lagging! })),
      { within: "600 millis" }
    )
    assert.isTrue(Result.isFailure(outcome) && outcome.failure.reason._tag === "TransferFailed")
    yield* cluster.propose("after", leader)
  })
)

clusterTest(
  "closing a leader hands over first: the others need not wait for an election",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      yield* cluster.propose("before", leader)
      yield* cluster.stop(leader)
      const next = yield* cluster.awaitLeader({ within: "20 millis", among: othersOf(cluster, leader) })
      yield* cluster.propose("after", next)
    })
)

clusterTest(
  "closing a leader that nobody hears takes no longer than an election timeout",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      cluster.network.isolate(leader)
      yield* cluster.drive(cluster.stop(leader), { within: "505 millis" })
    })
)

clusterTest("closing the last one up waits for nobody", { size: 1 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    yield* cluster.drive(cluster.stop(leader), { within: "10 millis" })
  })
)

clusterTest("who asks anybody but the leader hears who that is", { size: 3 }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const [other] = othersOf(cluster, leader)
    const error = yield* Effect.flip(cluster.drive(cluster.raft(other!).transferLeadership()))
    assert.isTrue(
      error._tag === "RaftError" && error.reason._tag === "NotLeader" && error.reason.leader === leader
    )
  })
)
