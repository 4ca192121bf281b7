/**
 * Durable before visible, as a property: whatever a node says, its disk could repeat it after a crash at
 * that very moment (paper, section 5: "servers respond to RPCs only after updating stable storage").
 *
 * Every message is held against the sender's disk while clusters go through elections, losses, crashes and
 * writes of random slowness.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as LogEntry from "../../src/LogEntry.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import type { RecoveredState } from "../../src/RaftStorage.ts"
import * as LinkFaults from "../../src/testing/LinkFaults.ts"
import { clusterTest } from "./ClusterTest.ts"
import type { JournalCluster } from "./ClusterTest.ts"

/** What `message` promises to `to` and `disk` does not hold. */
const brokenPromise = (disk: RecoveredState, to: NodeId, message: RaftMessage): string | undefined => {
  const { currentTerm, votedFor } = disk.hardState
  const lastBlock = disk.blocks[disk.blocks.length - 1]
  // What a snapshot stands for is on disk as well.
  const lastIndex = Math.max(
    disk.snapshot?.lastIndex ?? 0,
    lastBlock === undefined ? 0 : LogEntry.lastIndex(lastBlock)
  )
  if (message._tag === "RequestVoteReply" && message.granted && votedFor !== to) {
    return `a vote for ${to}; the disk has ${votedFor}`
  }
  const isMatch = message._tag === "AppendAccepted" || message._tag === "InstallSnapshotReply"
  if (isMatch && message.matchIndex > lastIndex) {
    return `entries to ${message.matchIndex}; the disk has ${lastIndex}`
  }
  // A pre-vote names a term that nobody is in yet; forwarding is not a matter of consensus.
  if (message._tag === "PreVote" || message._tag.startsWith("Forward")) return undefined
  return message.term > currentTerm ? `term ${message.term}; the disk has ${currentTerm}` : undefined
}

const slowDown = (cluster: JournalCluster, nodeId: NodeId) =>
  Effect.flatMap(Random.nextIntBetween(0, 60), (millis) =>
    cluster.disk.setWriteLatencyMillis(cluster.identityOf(nodeId), millis)
  )

/** Rounds with the default settings, in which no log is ever compacted, and rounds in which all are. */
const plain = { what: "", config: {} }
const compacting = {
  what: ", with snapshots",
  config: { snapshotEveryEntries: 4, snapshotTrailingEntries: 0 }
}

for (const [round, { what, config }] of [plain, plain, plain, compacting, compacting, compacting].entries()) {
  let held = 0
  const broken: Array<string> = []
  let observed: JournalCluster | undefined

  clusterTest(
    `no message promises what is not on disk (${round + 1}${what})`,
    {
      size: 3,
      config,
      network: LinkFaults.unreliable,
      observe: (from) => ({
        onSend: (to, message) => {
          // Before the first message the cluster stands.
          if (observed === undefined) return
          const disk = Effect.runSync(observed.disk.durable(observed.identityOf(from)))
          const problem = brokenPromise(disk, to, message)
          held += 1
          if (problem !== undefined) broken.push(`${from} promised ${to} ${problem} (${message._tag})`)
        }
      })
    },
    (cluster) =>
      Effect.gen(function* () {
        observed = cluster
        for (let step = 0; step < 60; step++) {
          for (const nodeId of cluster.nodeIds) yield* slowDown(cluster, nodeId)
          for (const nodeId of cluster.nodeIds) yield* Effect.ignore(cluster.raft(nodeId).submit(`${step}`))
          yield* cluster.advance(yield* Random.nextIntBetween(1, 400))
          const [victim] = (yield* Random.shuffle(cluster.nodeIds)) as [NodeId]
          const misfortune = yield* Random.nextIntBetween(0, 5)
          if (misfortune === 0) yield* cluster.kill(victim, "Kept")
          if (misfortune === 1) yield* cluster.kill(victim, "Lost")
          if (misfortune === 2) cluster.network.isolate(victim)
          if (misfortune === 3) cluster.network.heal()
          if (!cluster.isUp(victim)) yield* cluster.start(victim)
        }
        assert.isAbove(held, 100)
        assert.deepStrictEqual(broken, [])
      })
  )
}
