/**
 * A follower behind a slow link, with the defaults of timing and of what is under way at a time: while it gets a
 * snapshot and what was written meanwhile, it hears its leader often enough not to stand for election.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { RaftConfig } from "../../src/RaftConfig.ts"
import type { NodeId } from "../../src/NodeId.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { clusterTest } from "./ClusterTest.ts"

const defaults = RaftConfig.make({})
const megabyte = 1024 * 1024

/** When each node heard a leader last, and the longest that it did not since it had begun. */
const heardMillis = new Map<NodeId, number>()
let longestSilenceMillis = 0
let watched: NodeId | undefined

clusterTest(
  "a snapshot and megabytes of entries over a slow link: no heartbeat is missed, and nobody campaigns",
  {
    size: 3,
    trace: false,
    network: { ...LinkFaults.reliable, requestDelayMillis: [1, 1], replyDelayMillis: [1, 1], inOrder: true },
    config: {
      electionTimeoutMillis: defaults.electionTimeoutMillis,
      heartbeatIntervalMillis: defaults.heartbeatIntervalMillis,
      snapshotAtLeastBytes: 4 * megabyte,
      snapshotEveryBytes: 4 * megabyte,
      snapshotTrailingBytes: megabyte
    },
    observe: (nodeId) => ({
      onTurn: ({ events, nowMillis }) => {
        const isHeard = events.some(
          (event) => event._tag === "Received" && /^(AppendEntries|InstallSnapshot)$/.test(event.message._tag)
        )
        if (nodeId !== watched || !isHeard) return
        const silentMillis = nowMillis - (heardMillis.get(nodeId) ?? nowMillis)
        longestSilenceMillis = Math.max(longestSilenceMillis, silentMillis)
        heardMillis.set(nodeId, nowMillis)
      }
    })
  },
  (cluster) =>
    Effect.gen(function* () {
      const leader = yield* cluster.awaitLeader()
      const behind = cluster.nodeIds.find((nodeId) => nodeId !== leader)!
      yield* cluster.kill(behind, "Lost")
      for (let i = 0; i < 80; i++) yield* cluster.propose("x".repeat(100_000), leader)
      yield* cluster.until("the leader has compacted its log", () => cluster.state(leader).log.base.index > 0)

      const { currentTerm } = cluster.state(leader)
      cluster.network.configureLink({ from: leader, to: behind }, { bytesPerSecond: 2 * megabyte })
      cluster.network.resetTraffic()
      watched = behind
      yield* cluster.start(behind)
      const writing = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 60 }), () =>
          Effect.andThen(cluster.raft(leader).propose("y".repeat(60_000)), Effect.sleep("50 millis"))
        )
      )
      yield* cluster.until(
        "it has caught up",
        () =>
          writing.pollUnsafe() !== undefined &&
          cluster.appliedIndex(behind) === cluster.state(leader).log.lastIndex,
        { within: "30 seconds" }
      )
      yield* Fiber.join(writing)

      // One snapshot, though a newer one was taken before the first piece had arrived; the rest are entries.
      const { bytes } = cluster.network.traffic({ tag: "InstallSnapshot" })
      assert.isAbove(bytes, 4 * megabyte)
      assert.isBelow(bytes, 6 * megabyte)
      // The largest message, an append of half a megabyte, takes a quarter of a second.
      assert.isAtMost(longestSilenceMillis, 300)
      assert.isAbove(longestSilenceMillis, defaults.heartbeatIntervalMillis)
      assert.deepStrictEqual(
        [cluster.state(leader).currentTerm, cluster.state(behind).currentTerm],
        [currentTerm, currentTerm]
      )
      assert.strictEqual(cluster.network.traffic({ from: behind, tag: "PreVote" }).messages, 0)
      assert.deepStrictEqual(cluster.leaders(), [leader])
    })
)
