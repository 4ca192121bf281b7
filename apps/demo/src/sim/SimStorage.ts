/**
 * What simulated nodes write on: batches in memory, the shipped write-ahead log on files that forget and
 * tear, or either, drawn from the seed of each run.
 */
import type * as FaultyDisk from "@effect-raft/core/testing/FaultyDisk"
import { hashText } from "@effect-raft/core/testing/LinkFaults"
import * as MemoryDisk from "@effect-raft/core/testing/MemoryDisk"
import * as SimulatedFiles from "@effect-raft/storage-file/testing/SimulatedFiles"

export const kinds = ["memory", "wal", "mixed"] as const
export type Kind = (typeof kinds)[number]

/** The same seed draws the same disks. */
export const disksOf =
  (kind: Kind): FaultyDisk.Make =>
  (options) =>
    kind === "wal" || (kind === "mixed" && hashText(`${options.seed}/storage`) % 2 === 0)
      ? SimulatedFiles.make(options)
      : MemoryDisk.make()
