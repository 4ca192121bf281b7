/**
 * How far a leader sends a snapshot ahead of the peer's answers.
 *
 * While the peer tells how it gets on, many pieces are under way, within a window. One that says nothing of them gets
 * a single piece, and that again only when it is heard: what is sent to a peer that cannot be reached piles up before
 * it, and reaches it first when it is back; and who is back need not wait until a timer ends.
 */

/** What is known of the peer that gets a snapshot. */
export interface Standing {
  /** The next byte that it wants. */
  readonly offset: number
  /** When it last answered, whatever that was. */
  readonly contactMillis: number
  /** The connection with it broke, and it has not answered since. */
  readonly isLost: boolean
}

/** What does not change while one snapshot is sent. */
export interface Terms {
  readonly sizeBytes: number
  readonly pieceBytes: number
  /** How long the peer may not get on until it counts as silent. */
  readonly patienceMillis: number
}

export interface SnapshotWindow {
  /** Where the next piece begins. */
  readonly sentBytes: number
  /** The peer has what is before this. */
  readonly gotBytes: number
  /** Whether the peer tells how it gets on. */
  readonly isFlowing: boolean
  /** When a piece was last sent that counts: minus infinity before the first, and where that counts as lost. */
  readonly sentMillis: number
  /** When the peer last got on, or was found silent. */
  readonly movedMillis: number
}

/** Pieces under way at a time: as many as cover the time until a follower's answer, which writes what it gets. */
const windowPieces = 16

/** Nothing was sent. */
export const initial: SnapshotWindow = {
  sentBytes: 0,
  gotBytes: 0,
  isFlowing: false,
  sentMillis: Number.NEGATIVE_INFINITY,
  movedMillis: Number.NEGATIVE_INFINITY
}

/** What follows from what is known of the peer now. */
export const look = (
  window: SnapshotWindow,
  { contactMillis, isLost, offset }: Standing,
  nowMillis: number,
  { patienceMillis }: Terms
): SnapshotWindow => {
  if (offset > window.gotBytes) {
    // What the peer has kept from an earlier transfer is not sent again.
    const sentBytes = Math.max(window.sentBytes, offset)
    return { ...window, sentBytes, gotBytes: offset, isFlowing: !isLost, movedMillis: nowMillis }
  }
  // It had more: its part is gone, or this is an old answer.
  const hasGoneBack = offset < window.gotBytes
  const isSilent = isLost || nowMillis - window.movedMillis >= patienceMillis
  if (hasGoneBack || (window.isFlowing && isSilent))
    return { ...window, sentBytes: offset, gotBytes: offset, isFlowing: false, movedMillis: nowMillis }
  const isBack = !window.isFlowing && !isLost && contactMillis > window.sentMillis
  return isBack ? { ...window, sentBytes: window.gotBytes, sentMillis: Number.NEGATIVE_INFINITY } : window
}

/** Whether one more piece may be sent. There is one of an empty snapshot, too. */
export const hasRoom = (
  { gotBytes, isFlowing, sentBytes, sentMillis }: SnapshotWindow,
  { pieceBytes, sizeBytes }: Terms
): boolean => {
  const underWay = sentBytes - gotBytes
  const isMore = sentBytes < sizeBytes || (sizeBytes === 0 && sentMillis === Number.NEGATIVE_INFINITY)
  return isMore && underWay < (isFlowing ? windowPieces : 1) * pieceBytes
}

/** A piece of this size was sent. */
export const sent = (window: SnapshotWindow, bytes: number, nowMillis: number): SnapshotWindow => ({
  ...window,
  sentBytes: window.sentBytes + bytes,
  sentMillis: nowMillis
})
