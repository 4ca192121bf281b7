/**
 * What a leader knows of one peer's log (paper, figure 2: `nextIndex[]`, `matchIndex[]`).
 *
 * `Probe` looks for the point where the two logs agree, one message at a time. `Replicate` has found it and
 * sends ahead without waiting for answers. The rules own the `Progress`; how far the peer's replicator has sent
 * is in its `Cursor` (see Replication), which starts over whenever `epoch` or `memberSince` moves.
 */
import * as LogIndex from "../LogIndex.ts"

export interface Progress {
  readonly mode: "Probe" | "Replicate"
  /** The peer's log is the leader's up to here, durably. Decreases only when the peer has lost its data. */
  readonly matchIndex: LogIndex.LogIndex
  /** Where a replicator that starts over begins to send. */
  readonly nextIndex: LogIndex.LogIndex
  /**
   * The connection broke since the peer last accepted anything. It may have been started again, and on
   * another disk: should it refuse even what it had acknowledged, it is believed.
   */
  readonly isDoubted: boolean
  /** The configuration by which the peer came, or 0: who comes again is begun with anew. */
  readonly memberSince: LogIndex.LogIndex
  /** Moves when what was sent ahead must be sent again. */
  readonly epoch: number
  /** When the peer last answered in this term, on the monotonic clock, in milliseconds. */
  readonly contactMillis: number
  /** The connection with it broke, and it has not answered since. */
  readonly isLost: boolean
  /** When the newest lease round that it has answered began (see Lease). */
  readonly confirmedMillis: number
  /** The highest round that the peer has answered (see Rounds). */
  readonly ackedRound: number
  /** The snapshot that it was sent last, and how far it has got with it; `undefined` when there was none. */
  readonly transfer: Transfer | undefined
}

/** A snapshot on its way to a peer. */
export interface Transfer {
  readonly snapshotId: string
  /** The next byte that the peer wants. */
  readonly offset: number
}

/** A new leader knows nothing, and begins to look at the end of its own log. */
export const initial = (options: {
  readonly nextIndex: LogIndex.LogIndex
  readonly memberSince?: LogIndex.LogIndex
  readonly nowMillis: number
}): Progress => ({
  mode: "Probe",
  matchIndex: LogIndex.zero,
  nextIndex: options.nextIndex,
  isDoubted: false,
  memberSince: options.memberSince ?? LogIndex.zero,
  epoch: 0,
  contactMillis: options.nowMillis,
  isLost: false,
  confirmedMillis: Number.NEGATIVE_INFINITY,
  ackedRound: 0,
  transfer: undefined
})

/** The peer answered, whatever it said. */
export const contacted = (progress: Progress, nowMillis: number, round: number): Progress => ({
  ...progress,
  contactMillis: nowMillis,
  isLost: false,
  ackedRound: Math.max(progress.ackedRound, round)
})

/** The peer has heard the leader after `startMillis`. */
export const confirmed = (progress: Progress, startMillis: number): Progress =>
  startMillis > progress.confirmedMillis ? { ...progress, confirmedMillis: startMillis } : progress

/** The peer's log matches up to `matchIndex`. An old answer that says less changes nothing. */
export const accepted = (progress: Progress, matchIndex: LogIndex.LogIndex): Progress => {
  // Who is sent to ahead is doubted in nothing.
  if (progress.mode === "Replicate" && matchIndex <= progress.matchIndex) return progress
  const match = LogIndex.max(progress.matchIndex, matchIndex)
  // While probing, only an answer that reaches the probe says that the point was found.
  const found = progress.mode === "Replicate" || match >= progress.nextIndex - 1
  return {
    ...progress,
    mode: found ? "Replicate" : "Probe",
    isDoubted: progress.isDoubted && !found,
    matchIndex: match,
    nextIndex: LogIndex.max(progress.nextIndex, LogIndex.plus(match, 1))
  }
}

/** The connection broke: what was on its way is lost, and the peer may not be what it was. */
export const lost = (progress: Progress): Progress => ({
  ...progress,
  mode: "Probe",
  // Where nothing was acknowledged yet, the search goes on where it is.
  nextIndex: progress.matchIndex > 0 ? LogIndex.plus(progress.matchIndex, 1) : progress.nextIndex,
  isDoubted: true,
  isLost: true,
  epoch: progress.epoch + 1
})

/** Whether the peer refuses what it had acknowledged: its disk is another one, or an old copy. */
export const hasForgotten = (progress: Progress, prevLogIndex: LogIndex.LogIndex): boolean =>
  progress.isDoubted && prevLogIndex > 0 && prevLogIndex === progress.matchIndex

/** Nothing that the peer ever acknowledged counts any more; try again from `nextIndex`. */
export const forgotten = (progress: Progress, nextIndex: LogIndex.LogIndex): Progress => ({
  ...progress,
  mode: "Probe",
  matchIndex: LogIndex.zero,
  nextIndex,
  epoch: progress.epoch + 1
})

/** Whether a refusal of `prevLogIndex` is news, and not an echo of a message that was overtaken. */
export const isNews = (progress: Progress, prevLogIndex: LogIndex.LogIndex): boolean =>
  prevLogIndex > progress.matchIndex &&
  (progress.mode === "Replicate" || prevLogIndex === progress.nextIndex - 1)

/** The peer refused; try again from `nextIndex`, which is never below what already matches. */
export const refused = (progress: Progress, nextIndex: LogIndex.LogIndex): Progress => ({
  ...progress,
  mode: "Probe",
  nextIndex: LogIndex.max(nextIndex, LogIndex.plus(progress.matchIndex, 1)),
  epoch: progress.epoch + 1
})
