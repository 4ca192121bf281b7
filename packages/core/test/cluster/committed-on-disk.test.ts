/** A node that starts applies what an earlier life knew to be committed, before anybody leads. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { NodeId } from "../../src/NodeId.ts"
import { clusterTest } from "./ClusterTest.ts"

clusterTest(
  "alone it applies what it knew to be committed, and takes up the rest from its leader",
  { size: 3 },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      for (const command of ["a", "b", "c", "d"]) yield* cluster.propose(command, leader)
      yield* cluster.advance("1 second")
      for (const nodeId of cluster.nodeIds) yield* cluster.kill(nodeId, "Lost")

      const [alone, ...others] = cluster.nodeIds as [NodeId, ...Array<NodeId>]
      yield* cluster.start(alone)
      yield* cluster.advance("10 millis")
      // The last write was made before its own entry was committed.
      const journal = yield* cluster.raft(alone).readStale((view) => view)
      assert.deepStrictEqual(journal.value, ["a", "b", "c"])
      assert.strictEqual(cluster.leaders().length, 0)

      for (const nodeId of others) yield* cluster.start(nodeId)
      assert.strictEqual(yield* cluster.propose("e"), 4)
      assert.deepStrictEqual(yield* cluster.read((view) => view, alone), ["a", "b", "c", "d", "e"])
    })
)
