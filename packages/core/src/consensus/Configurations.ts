/**
 * Which membership is in force where in the log (paper, section 6: "a server always uses the latest
 * configuration in its log, regardless of whether the entry is committed").
 *
 * A configuration is in force as soon as its entry stands in the log, so one that is cut away again gives
 * way to the one before it. All are kept that may still be cut, and those that a snapshot of this node may
 * ask for.
 */
import * as LogEntry from "../LogEntry.ts"
import type * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"

/** A membership, and the index from which on it is in force. */
export interface Configuration {
  readonly index: LogIndex.LogIndex
  readonly membership: Membership.Membership
}

export interface Configurations {
  /** In force before those in the log: of the snapshot, or what the node was started with (index 0). */
  readonly first: Configuration
  /** Those in the log after `first`, oldest first. */
  readonly later: ReadonlyArray<Configuration>
}

/** No configuration stands in the log yet. */
export const beginning = (first: Configuration): Configurations => ({ first, later: [] })

/** What a log of these blocks makes of `first`. What stands at or before `first` is in it already. */
export const fromBlocks = (
  first: Configuration,
  blocks: ReadonlyArray<LogEntry.EntryBlock>
): Configurations => append(beginning(first), blocks)

/** The one in force: the last. */
export const latest = ({ first, later }: Configurations): Configuration => later.at(-1) ?? first

/**
 * The one before the last. It is committed, whatever this node knows of commits: a leader begins no change
 * before the last one is.
 */
export const previous = ({ first, later }: Configurations): Configuration => later.at(-2) ?? first

/** The membership that was in force at `index`, which is not before that of `first`. */
export const at = ({ first, later }: Configurations, index: LogIndex.LogIndex): Membership.Membership =>
  (later.findLast((configuration) => configuration.index <= index) ?? first).membership

/** With the configurations that stand in some more blocks. The same object where there are none. */
export const append = (known: Configurations, blocks: ReadonlyArray<LogEntry.EntryBlock>): Configurations => {
  if (!blocks.some(LogEntry.hasConfigurations)) return known
  const found = blocks.flatMap(LogEntry.configurationsIn).filter(({ index }) => index > latest(known).index)
  if (found.length === 0) return known
  const added = found.map(({ index, payload }) => ({ index, membership: Membership.fromPayload(payload) }))
  return { ...known, later: [...known.later, ...added] }
}

/** Without those at `index` and after it: their entries were cut away. */
export const truncateFrom = (known: Configurations, index: LogIndex.LogIndex): Configurations =>
  latest(known).index < index || known.later.length === 0
    ? known
    : { ...known, later: known.later.filter((configuration) => configuration.index < index) }

/** Without those that nobody can ask for: all before the one that is in force at `index`. */
export const compactTo = (known: Configurations, index: LogIndex.LogIndex): Configurations => {
  const first = known.later.findLast((configuration) => configuration.index <= index)
  return first === undefined
    ? known
    : { first, later: known.later.filter((configuration) => configuration.index > first.index) }
}
