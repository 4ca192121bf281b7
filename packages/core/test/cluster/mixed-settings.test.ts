/**
 * B23: nodes with different settings, as they are together during a rolling upgrade. The guards of elections
 * are a node's own: some hold back and protect their leader, others stand and vote at once. Whoever is cut
 * off and comes back, with whatever term, the cluster goes on within seconds, with everybody in it.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { NodeId } from "../../src/NodeId.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

const within = "10 seconds"

/** A write succeeds under whoever leads, and everybody who is up applies it. */
const goesOn = (cluster: JournalCluster, command: string) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader({ within })
    yield* cluster.propose(command, leader)
    const last = cluster.appliedIndex(leader)
    yield* cluster.until(
      `everybody has ${command}`,
      () => cluster.nodeIds.every((nodeId) => !cluster.isUp(nodeId) || cluster.appliedIndex(nodeId) >= last),
      { within }
    )
  })

/** Long enough alone to have stood for election many times. */
const isAwhile = (cluster: JournalCluster, away: NodeId) =>
  Effect.gen(function* () {
    cluster.network.isolate(away)
    yield* cluster.advance("10 seconds")
    cluster.network.rejoin(away)
    yield* cluster.advance("2 seconds")
    yield* goesOn(cluster, `${away} is back`)
  })

const guards = { preVote: true, checkQuorum: true }

const older = [
  { preVote: false, checkQuorum: true },
  { preVote: true, checkQuorum: false },
  { preVote: false, checkQuorum: false }
]

for (const settings of older) {
  for (const unguarded of [["n1"], ["n1", "n2"]].map((names) => names.map((name) => NodeId.make(name)))) {
    const others = `${unguarded.join(" and ")} of n1 to n3 with ${JSON.stringify(settings)}`
    const configOf = (nodeId: NodeId) => (unguarded.includes(nodeId) ? settings : guards)
    clusterTest(`B23 ${others}: each is cut off and comes back`, { size: 3, configOf }, (cluster) =>
      Effect.gen(function* () {
        for (const nodeId of cluster.nodeIds) yield* isAwhile(cluster, nodeId)
        yield* isAwhile(cluster, yield* cluster.awaitLeader({ within }))
        assert.strictEqual(cluster.leaders().length, 1)
      })
    )
  }

  const upgraded = new Set<NodeId>()
  clusterTest(
    `B23 one node after the other is upgraded from ${JSON.stringify(settings)}, and back`,
    { size: 3, configOf: (nodeId) => (upgraded.has(nodeId) ? guards : settings) },
    (cluster) =>
      Effect.gen(function* () {
        upgraded.clear()
        for (const change of ["add", "delete"] as const) {
          for (const nodeId of cluster.nodeIds) {
            yield* cluster.awaitLeader({ within })
            upgraded[change](nodeId)
            yield* cluster.restart(nodeId)
            yield* goesOn(cluster, `${change} ${nodeId}`)
            yield* isAwhile(cluster, nodeId)
          }
        }
      })
  )
}
