/**
 * Where the bytes of a log lie.
 *
 * A log lives as long as the collector's young generation does several times over, so if it were left to the collector
 * each byte of it would wait for a major collection, and a node would have two or three times its log in memory. A
 * node whose transport and store promise to be done with a block in time has memory of its own for its log and uses
 * it again (`internal/ReusedMemory`). Everywhere else, as in tests of the rules, it is the collector's.
 */
import type * as LogEntry from "../LogEntry.ts"

export interface LogMemory {
  /** Room for the bytes of a new block; left out where blocks may lie anywhere. */
  readonly take?: (bytes: number) => Uint8Array
  /** A block that came from elsewhere, where the log may keep it. */
  readonly adopt: (block: LogEntry.EntryBlock) => LogEntry.EntryBlock
}

/** Blocks stay where they are until nobody knows them. */
export const collected: LogMemory = { adopt: (block) => block }
