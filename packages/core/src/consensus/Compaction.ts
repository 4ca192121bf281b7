/**
 * How much of its log a node lets go when it has a new snapshot (paper, section 7).
 *
 * A window of entries before the snapshot stays for followers that are a little behind. It is in proportion to
 * what the snapshot covers: snapshots of a small state come sooner, and one is soon sent. That window is short, and
 * a whole snapshot takes its time to travel: while clients write, a follower that has just installed one
 * could find that the leader has dropped what comes after it, get the next one, and so on for ever. So a leader
 * keeps what a follower needs to which it has sent a snapshot, back to the snapshot before this one and no
 * further: the log stays bounded, and a follower that is silent holds nothing back.
 */
import * as LogIndex from "../LogIndex.ts"
import type { LogBase } from "../RaftStorage.ts"
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
      lastHeldByPeers(state, snapshots.former, stamp)
    )
  )

/** A smaller window would be but a moment of a busy leader's writes. */
const leastWindowBytes = 4 * 1024 * 1024

/** The window has at most a quarter of the bytes that are covered. */
const coveredToWindow = 4

/** A window of so many entries and bytes stays before `lastIndex`. */
const lastBeforeWindow = (state: NodeState, lastIndex: LogIndex.LogIndex): LogIndex.LogIndex => {
  const { snapshotTrailingBytes, snapshotTrailingEntries } = state.config
  const coveredBytes = RaftLog.bytesBetween(state.log, LogIndex.plus(state.log.base.index, 1), lastIndex)
  const windowBytes = Math.min(
    snapshotTrailingBytes,
    Math.max(leastWindowBytes, coveredBytes / coveredToWindow)
  )
  let low = LogIndex.max(state.log.base.index, LogIndex.plus(lastIndex, -snapshotTrailingEntries))
  let high = lastIndex
  // The smallest index after which no more than the window's bytes remain.
  while (low < high) {
    const middle = LogIndex.plus(low, Math.floor((high - low) / 2))
    if (RaftLog.bytesBetween(state.log, LogIndex.plus(middle, 1), lastIndex) <= windowBytes) high = middle
    else low = LogIndex.plus(middle, 1)
  }
  return low
}

/** Up to where every peer has the log that answers, and gets on with the snapshot that it is sent. */
const lastHeldByPeers = (
  { config, log, role }: NodeState,
  former: SnapshotMeta | undefined,
  { nowMillis }: Stamp
): LogIndex.LogIndex => {
  if (role._tag !== "Leader" || former === undefined) return log.lastIndex
  return role.progress
    .values()
    .filter((peer) => !peer.isLost && nowMillis - peer.contactMillis < config.electionTimeoutMillis)
    .map((peer) => lastHeldBy(peer, former, log.base) ?? log.lastIndex)
    .reduce(LogIndex.min, log.lastIndex)
}

/**
 * Up to where a peer that needed a snapshot has the log, or will have it with the former one; `undefined`
 * where it must have the new one, or never needed any.
 */
const lastHeldBy = (
  { matchIndex, nextIndex, transfer }: Progress,
  former: SnapshotMeta,
  base: LogBase
): LogIndex.LogIndex | undefined => {
  // It has said nothing of a snapshot yet, and what it needs is gone: the former one is on its way.
  if (transfer === undefined) return nextIndex <= base.index ? former.lastIndex : undefined
  if (matchIndex >= former.lastIndex) return matchIndex
  return transfer.snapshotId === former.id ? former.lastIndex : undefined
}
