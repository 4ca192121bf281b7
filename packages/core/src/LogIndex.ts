/**
 * Positions in the replicated log (paper, section 5.3). The first entry has index 1; index 0 stands
 * for "before the log".
 */
import * as Schema from "effect/Schema"

/** A natural number; 0 is the position before the first entry. */
export const LogIndex = Schema.Natural.pipe(Schema.brand("effect-raft/LogIndex"))
export type LogIndex = typeof LogIndex.Type

/** The position before the first entry. */
export const zero: LogIndex = 0 as LogIndex

/** The position `count` entries after `index` (`count` may be negative). */
export const plus = (index: LogIndex, count: number): LogIndex => (index + count) as LogIndex

export const min = (a: LogIndex, b: LogIndex): LogIndex => (a < b ? a : b)

export const max = (a: LogIndex, b: LogIndex): LogIndex => (a > b ? a : b)
