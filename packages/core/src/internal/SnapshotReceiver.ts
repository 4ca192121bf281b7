/**
 * The fiber that puts a leader's snapshot together, piece by piece, on disk.
 *
 * Pieces arrive in any order, twice, or not at all; it writes those that go on where it is, holds a few that
 * have overtaken others, and tells the leader after each how far it has got. A part that is left when a
 * transfer breaks off is taken up again if the same snapshot comes once more. When the last piece is durable
 * the actor hears of it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { KeepSnapshotPiece } from "../consensus/Action.ts"
import type { SnapshotReceived } from "../consensus/Event.ts"
import type { NodeId } from "../NodeId.ts"
import type { SnapshotStore, SnapshotWriter, StorageError } from "../RaftStorage.ts"
import type { Arrival } from "./Restorer.ts"

/** Pieces that wait for the disk; more are dropped, and sent again by the leader. */
const maxWaitingPieces = 32

/** Pieces that are held until those before them come. A leader has no more than this under way. */
const maxHeldPieces = 16

export interface SnapshotReceiver {
  readonly keep: (piece: KeepSnapshotPiece) => void
  /** Works for ever; fails with the disk. */
  readonly run: Effect.Effect<never, StorageError, Scope.Scope>
}

interface Transfer {
  readonly snapshotId: string
  readonly writer: SnapshotWriter
  readonly scope: Scope.Closeable
  /** Pieces that came before their turn. */
  held: ReadonlyArray<Piece>
}

type Piece = KeepSnapshotPiece["piece"]

export const make = (options: {
  readonly store: SnapshotStore
  readonly onReceived: (event: SnapshotReceived) => void
  /** Told of all bytes of a snapshot that arrive here, in order. */
  readonly onArrival: (arrival: Arrival) => void
  /** Tells the leader which byte is wanted next. */
  readonly onProgress: (leader: NodeId, snapshotId: string, offset: number) => void
}): Effect.Effect<SnapshotReceiver> =>
  Effect.gen(function* () {
    const inbox = yield* Queue.dropping<KeepSnapshotPiece>(maxWaitingPieces)
    let current: Transfer | undefined

    const close = Effect.suspend(() => {
      const ended = current
      current = undefined
      return ended === undefined ? Effect.void : Scope.close(ended.scope, Exit.void)
    })

    const open = ({ snapshot }: Piece) =>
      Effect.gen(function* () {
        if (current?.snapshotId === snapshot.id) return current
        yield* close
        const scope = yield* Scope.fork(yield* Effect.scope)
        const opening = options.store.writer({ meta: snapshot, purpose: "Receive", resume: true })
        const writer = yield* Scope.provide(opening, scope)
        current = { snapshotId: snapshot.id, writer, scope, held: [] }
        return current
      })

    /** Writes what `piece` has of the bytes that are wanted next. */
    const writeRest = (writer: SnapshotWriter, { data, offset, snapshot }: Piece) =>
      Effect.suspend(() => {
        const known = writer.offset() - offset
        if (known < 0 || known >= data.byteLength) return Effect.void
        const rest = data.subarray(known)
        options.onArrival({ snapshot, offset: offset + known, data: rest })
        return writer.write(rest)
      })

    const keep = ({ from, piece }: KeepSnapshotPiece) =>
      Effect.gen(function* () {
        const transfer = yield* open(piece)
        const { writer } = transfer
        const pieces = [...transfer.held, piece].sort((one, other) => one.offset - other.offset)
        for (const next of pieces) yield* writeRest(writer, next)
        transfer.held = pieces.filter(({ offset }) => offset > writer.offset()).slice(0, maxHeldPieces)
        if (writer.offset() < piece.sizeBytes) {
          options.onProgress(from, piece.snapshot.id, writer.offset())
          return
        }
        yield* writer.commit
        yield* close
        options.onReceived({ _tag: "SnapshotReceived", from, snapshot: piece.snapshot })
      })

    return {
      keep: (piece) => {
        Queue.offerUnsafe(inbox, piece)
      },
      run: Effect.forever(Effect.flatMap(Queue.take(inbox), keep), { disableYield: true })
    }
  })
