/**
 * How soon a cluster that was started has a leader, and that a node which comes back alone disturbs nobody
 * (`consensus/FirstElection`).
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { NodeId } from "../../src/NodeId.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const config = { heartbeatIntervalMillis: 50, electionTimeoutMillis: 2_000 }

/** A heartbeat interval of waiting, the others' turns, an election and a first commit: no timeout is in it. */
const within = "150 millis"

const followersOf = (cluster: JournalCluster, leader: NodeId) =>
  cluster.nodeIds.filter((nodeId) => nodeId !== leader)

for (const size of [2, 3, 5]) {
  clusterTest(`${size} nodes that are started together have a leader soon`, { size, config }, (cluster) =>
    cluster.awaitLeader({ within })
  )

  clusterTest(
    `${size} nodes that were all killed have one soon, and all that was committed`,
    { size, config },
    (cluster) =>
      Effect.gen(function* () {
        for (const command of ["a", "b", "c"]) yield* cluster.propose(command)
        for (const nodeId of cluster.nodeIds) yield* cluster.kill(nodeId, "Lost")
        for (const nodeId of cluster.nodeIds) yield* cluster.start(nodeId)
        const leader = yield* cluster.awaitLeader({ within })
        assert.deepStrictEqual(yield* cluster.read((journal) => journal, leader), ["a", "b", "c"])
      })
  )
}

clusterTest("a node that is alone and starts again leads at once", { size: 1, config }, (cluster) =>
  Effect.gen(function* () {
    const only = yield* cluster.awaitLeader({ within: "5 seconds" })
    for (const command of ["a", "b", "c"]) yield* cluster.propose(command)
    yield* cluster.kill(only, "Lost")
    yield* cluster.start(only)
    yield* cluster.awaitLeader({ within: "10 millis" })
    assert.deepStrictEqual(yield* cluster.read((journal) => journal, only), ["a", "b", "c"])
  })
)

clusterTest("a majority does not wait for those who stay away", { size: 5, config }, (cluster) =>
  Effect.gen(function* () {
    yield* cluster.propose("a")
    for (const nodeId of cluster.nodeIds) yield* cluster.kill(nodeId, "Lost")
    for (const nodeId of cluster.nodeIds.slice(2)) yield* cluster.start(nodeId)
    yield* cluster.awaitLeader({ within })
  })
)

clusterTest("fewer than a majority asks nobody", { size: 5, config }, (cluster) =>
  Effect.gen(function* () {
    yield* cluster.propose("a")
    for (const nodeId of cluster.nodeIds) yield* cluster.kill(nodeId, "Lost")
    cluster.network.resetTraffic()
    for (const nodeId of cluster.nodeIds.slice(3)) yield* cluster.start(nodeId)
    yield* cluster.advance("1 second")
    assert.strictEqual(cluster.network.traffic({ tag: "PreVote" }).messages, 0)
  })
)

clusterTest("a node that comes back alone asks nobody for anything", { size: 3, config }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const { currentTerm } = cluster.state(leader)
    for (const nodeId of followersOf(cluster, leader)) {
      yield* cluster.kill(nodeId, "Lost")
      yield* cluster.advance("1 second")
      cluster.network.resetTraffic()
      yield* cluster.start(nodeId)
      yield* cluster.advance("3 seconds")
      assert.strictEqual(cluster.network.traffic({ tag: "PreVote" }).messages, 0)
      assert.strictEqual(cluster.state(leader).currentTerm, currentTerm)
    }
  })
)

clusterTest("two that come back while the leader still leads follow it", { size: 3, config }, (cluster) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const { currentTerm } = cluster.state(leader)
    const followers = followersOf(cluster, leader)
    for (const nodeId of followers) yield* cluster.kill(nodeId, "Lost")
    yield* cluster.advance("1 second")
    for (const nodeId of followers) yield* cluster.start(nodeId)
    yield* cluster.advance("3 seconds")
    assert.deepStrictEqual(cluster.leaders(), [leader])
    assert.strictEqual(cluster.state(leader).currentTerm, currentTerm)
  })
)
