/** What the tests of snapshots do with a cluster. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { NodeId } from "../../src/NodeId.ts"
import type { JournalCluster } from "./ClusterTest.ts"

/** A snapshot every five entries, and nothing before it. */
export const often = { snapshotEveryEntries: 5, snapshotTrailingEntries: 0 }

export const elect = (cluster: JournalCluster) =>
  Effect.map(cluster.awaitLeader(), (leader) => ({
    leader,
    followers: cluster.nodeIds.filter((nodeId) => nodeId !== leader) as [NodeId, NodeId]
  }))

export const proposeMany = (cluster: JournalCluster, count: number, at: NodeId) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* cluster.propose(`command ${i}`, at)
  })

/** What a node's machine holds. */
export const journalOf = (cluster: JournalCluster, nodeId: NodeId) =>
  cluster.raft(nodeId).read((journal) => journal, { consistency: "stale" })

export const baseOf = (cluster: JournalCluster, nodeId: NodeId) => cluster.state(nodeId).log.base.index

export const isCaughtUp = (cluster: JournalCluster, nodeId: NodeId, leader: NodeId) =>
  cluster.appliedIndex(nodeId) === cluster.state(leader).log.lastIndex

/** Waits until `nodeId` has all that `leader` has, and compares what came of it. */
export const catchesUp = (cluster: JournalCluster, nodeId: NodeId, leader: NodeId) =>
  Effect.gen(function* () {
    yield* cluster.until(`${nodeId} has caught up`, () => isCaughtUp(cluster, nodeId, leader))
    assert.deepStrictEqual(yield* journalOf(cluster, nodeId), yield* journalOf(cluster, leader))
  })
