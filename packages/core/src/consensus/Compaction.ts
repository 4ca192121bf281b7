/**
 * How much of its log a node lets go when it has a new snapshot (paper, section 7).
 *
 * A window of entries before the snapshot stays for followers that are a little behind. It is in proportion to
 * what the snapshot covers: snapshots of a small state come soon after one another, and one is soon sent. A leader
 * knows its followers, so it keeps what one of them that answers still lacks, as far back as a window may go.
 *
 * A whole snapshot takes its time to travel: while clients write, a follower that has just installed one could find
 * that the leader has dropped what comes after it, get the next one, and so on for ever. So a leader keeps what a
 * follower needs to which it has sent a snapshot, back to the snapshot before this one, or by the bytes of the
 * largest window where snapshots come sooner than these are written, and no further: the log stays bounded, and a
 * follower that is silent holds nothing back.
 */
import * as LogIndex from "../LogIndex.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { NodeState, Stamp } from "./NodeState.ts"
import type { Progress } from "./Progress.ts"
import * as RaftLog from "./RaftLog.ts"

/** The newest snapshot, and the one before it. */
export interface Snapshots {
  readonly former: SnapshotMeta | undefined
  readonly snapshot: SnapshotMeta
}

/** The last index that may go. */
export const lastToDrop = (state: NodeState, snapshots: Snapshots, stamp: Stamp): LogIndex.LogIndex =>
  LogIndex.max(
    state.log.base.index,
    LogIndex.min(
      lastBeforeWindow(state, snapshots.snapshot.lastIndex),
      lastHeldByPeers(state, snapshots, stamp)
    )
  )

/** A smaller window would be but a moment of a busy leader's writes. */
const leastWindowBytes = 512 * 1024

/** The window has at most a quarter of the bytes that are covered. */
const coveredToWindow = 4

/** How much may stay before a snapshot. */
interface Window {
  readonly entries: number
  readonly bytes: number
}

/** The window that stays before a snapshot of which nobody needs to be thought. */
const lastBeforeWindow = ({ config, log }: NodeState, lastIndex: LogIndex.LogIndex): LogIndex.LogIndex => {
  const coveredBytes = RaftLog.bytesBetween(log, LogIndex.plus(log.base.index, 1), lastIndex)
  const proportionBytes = Math.max(leastWindowBytes, coveredBytes / coveredToWindow)
  return lastBefore(log, lastIndex, {
    entries: config.snapshotTrailingEntries,
    bytes: Math.min(config.snapshotTrailingBytes, proportionBytes)
  })
}

/** The smallest index after which no more than `window` remains before `lastIndex`. */
const lastBefore = (
  log: RaftLog.RaftLog,
  lastIndex: LogIndex.LogIndex,
  window: Window
): LogIndex.LogIndex => {
  let low = LogIndex.max(log.base.index, LogIndex.plus(lastIndex, -window.entries))
  let high = lastIndex
  while (low < high) {
    const middle = LogIndex.plus(low, Math.floor((high - low) / 2))
    if (RaftLog.bytesBetween(log, LogIndex.plus(middle, 1), lastIndex) <= window.bytes) high = middle
    else low = LogIndex.plus(middle, 1)
  }
  return low
}

/** How far back a leader keeps its log for a peer that answers. */
interface Reach {
  /** For one that is sent entries. */
  readonly behind: LogIndex.LogIndex
  /** For one that is sent a snapshot. */
  readonly installing: LogIndex.LogIndex
}

/** Up to where every peer has the log that answers, and gets on with the snapshot that it is sent. */
const lastHeldByPeers = (state: NodeState, snapshots: Snapshots, { nowMillis }: Stamp): LogIndex.LogIndex => {
  const { config, log, role } = state
  if (role._tag !== "Leader") return log.lastIndex
  const reach = reachOf(state, snapshots)
  return role.progress
    .values()
    .filter((peer) => !peer.isLost && nowMillis - peer.contactMillis < config.electionTimeoutMillis)
    .map((peer) => lastHeldBy(peer, reach, log) ?? log.lastIndex)
    .reduce(LogIndex.min, log.lastIndex)
}

const reachOf = ({ config, log }: NodeState, { former, snapshot: { lastIndex } }: Snapshots): Reach => {
  const bytes = config.snapshotTrailingBytes
  const byBytes = lastBefore(log, lastIndex, { entries: lastIndex, bytes })
  return {
    behind: lastBefore(log, lastIndex, { entries: config.snapshotTrailingEntries, bytes }),
    installing: former === undefined ? byBytes : LogIndex.min(former.lastIndex, byBytes)
  }
}

/**
 * Up to where a peer has the log, or will have it with the snapshot that it is sent; `undefined` where it is too far
 * behind to be waited for.
 */
const lastHeldBy = (
  { matchIndex, nextIndex, transfer }: Progress,
  reach: Reach,
  { base }: RaftLog.RaftLog
): LogIndex.LogIndex | undefined => {
  if (matchIndex >= reach.behind) return matchIndex
  // It has said nothing of a snapshot yet, and what it needs is gone: one is on its way.
  if (transfer === undefined) return nextIndex <= base.index ? reach.installing : undefined
  return LogIndex.max(matchIndex, reach.installing)
}
