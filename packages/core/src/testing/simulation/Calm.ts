/**
 * A plan in which nothing goes wrong: links take a millisecond, disks are prompt, clocks agree, nobody
 * fails. It tells how fast the simulation itself is, and all checks hold for it as for any other.
 */
import type { Bounds, Plan } from "./Plan.ts"

/** The plan of a seed, which only the clients' dice still depend on. */
export const plan = (seed: string, bounds: Bounds): Plan => ({
  seed,
  size: bounds.size ?? 5,
  durationMillis: bounds.durationMillis ?? 20_000,
  clients: bounds.clients ?? 4,
  operationsPerSecond: bounds.operationsPerSecond ?? 100,
  patienceMillis: 60_000,
  sessions: null,
  interleave: false,
  network: {
    delayMillis: [1, 1],
    loss: 0,
    duplication: 0,
    heldRequests: 0,
    heldReplies: 0,
    inOrder: true
  },
  config: {
    preVote: true,
    checkQuorum: true,
    maxAppendBytes: 512 * 1024,
    maxInflightEntries: 16_384,
    snapshotEveryEntries: 1_000_000,
    snapshotTrailingEntries: 10_000,
    snapshotPieceBytes: 256 * 1024
  },
  driftPerMille: [],
  diskMillis: [],
  notifyLost: true,
  faults: []
})
