/**
 * The fiber that sends one peer the snapshot, when the peer needs what is in the log no more.
 *
 * It is a lane of its own: heartbeats, and appends to other peers, go on beside it. Pieces go out ahead of the
 * answers, within a window (SnapshotWindow); to a silent peer it goes on from where that has got to, or with a newer
 * snapshot where this one would be of no use any more. It ends when the peer has it, and sleeps until it is needed
 * again.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Snapshotting from "../consensus/Snapshotting.ts"
import * as SnapshotWindow from "../consensus/SnapshotWindow.ts"
import type { NodeId } from "../NodeId.ts"
import type { SnapshotReader, StorageError } from "../RaftStorage.ts"
import type { RoleContext } from "./Role.ts"

/** Pieces that are read from the disk at a time. */
const readPieces = 4

/** The two gates of a sender: that its peer needs the snapshot, and that something may have changed. */
export interface Gates {
  readonly needed: Latch.Latch
  readonly moved: Latch.Latch
}

export const makeGates = (): Gates => ({ needed: Latch.makeUnsafe(false), moved: Latch.makeUnsafe(false) })

/**
 * Sends whenever it is needed. When a snapshot was sent, or would be of no use any more, and its file is closed, the
 * peer may need the next one: that is asked then, for what was said of it meanwhile found the gate open. Where nothing
 * was sent, it is tried again after the next turn. A snapshot that cannot be read is for the node to die of.
 */
export const sendWhenNeeded = (
  node: RoleContext,
  peer: NodeId,
  { moved, needed }: Gates,
  isNeeded: () => boolean
): Effect.Effect<never, StorageError> => {
  const sendNewest = Effect.flatMap(node.openSnapshot, (reader) =>
    reader === undefined ? Effect.succeed(false) : transfer(node, peer, moved, reader)
  )
  return Latch.await(needed).pipe(
    Effect.andThen(Effect.scoped(sendNewest)),
    Effect.map((hasSent) => {
      if (!hasSent || !isNeeded()) needed.closeUnsafe()
    }),
    Effect.forever
  )
}

/** Gives whether anything was sent. */
const transfer = (node: RoleContext, peer: NodeId, moved: Latch.Latch, reader: SnapshotReader) =>
  Effect.gen(function* () {
    const { electionTimeoutMillis, snapshotPieceBytes } = node.state().config
    const { meta, sizeBytes } = reader
    const terms = { sizeBytes, pieceBytes: snapshotPieceBytes, patienceMillis: electionTimeoutMillis }
    const pieceAt = pieces(reader, snapshotPieceBytes)
    let window = SnapshotWindow.initial
    let hasSent = false
    while (true) {
      const standing = Snapshotting.standingOf(node.state(), peer, meta)
      if (standing === undefined) return hasSent
      window = SnapshotWindow.look(window, standing, node.nowMillis(), terms)
      if (!window.isFlowing && Snapshotting.isOutdated(node.state(), meta)) return hasSent
      if (!SnapshotWindow.hasRoom(window, terms)) {
        moved.closeUnsafe()
        yield* Effect.timeoutOption(Latch.await(moved), electionTimeoutMillis)
        continue
      }
      const { sentBytes: offset } = window
      const data = yield* pieceAt(offset)
      const { currentTerm: term } = node.state()
      node.send(peer, { _tag: "InstallSnapshot", term, snapshot: meta, sizeBytes, offset, data })
      hasSent = true
      window = SnapshotWindow.sent(window, data.byteLength, node.nowMillis())
      // A piece at a time, so that a large snapshot does not hold up the event loop.
      yield* Effect.yieldNow
    }
  })

/** The pieces of a snapshot, read a few at a time. */
const pieces = (
  reader: SnapshotReader,
  pieceBytes: number
): ((offset: number) => Effect.Effect<Uint8Array, StorageError>) => {
  let start = 0
  let ahead: Uint8Array = new Uint8Array(0)
  const cut = (offset: number) => ahead.subarray(offset - start, offset - start + pieceBytes)
  return (offset) =>
    offset >= start && offset < start + ahead.byteLength
      ? Effect.succeed(cut(offset))
      : Effect.map(reader.read(offset, readPieces * pieceBytes), (read) => {
          start = offset
          ahead = read
          return cut(offset)
        })
}
