/**
 * How a file gets its size before it is written to: with zeros, in pieces, many pieces at a time.
 *
 * The pieces are small because the kernel keeps in one folio what was written in one piece, and for a process it
 * counts the whole folio as written whenever a record touches it. Many are under way at a time because the end
 * of each is heard in another turn of the event loop: one after the other, the 256 pieces of a segment took a
 * busy node longer than to fill the segment before it, and its log stood still until they were done.
 */
import * as Effect from "effect/Effect"

export const pieceBytes = 64 * 1024

/** Pieces in the thread pool's hands at a time. A flush may come after them, which takes some tens of microseconds each. */
export const piecesAtATime = 32

const zeros = new Uint8Array(pieceBytes)

/** Writes the first `bytes` of `zeros` at `position`, and tells how many of them it wrote. */
export type Write<E> = (zeros: Uint8Array, bytes: number, position: number) => Effect.Effect<number, E>

/** Fills a file up to `bytes`. When a piece fails it ends, after those that are under way. */
export const fill = <E>(bytes: number, write: Write<E>): Effect.Effect<void, E> =>
  Effect.forEach(starts(bytes), (start) => fillPiece(start, Math.min(bytes, start + pieceBytes), write), {
    concurrency: piecesAtATime,
    discard: true
  })

const starts = (bytes: number): ReadonlyArray<number> =>
  Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, number) => number * pieceBytes)

/** A short write is followed by one of the rest. */
const fillPiece = <E>(start: number, end: number, write: Write<E>): Effect.Effect<void, E> =>
  start >= end
    ? Effect.void
    : Effect.flatMap(write(zeros, end - start, start), (written) => fillPiece(start + written, end, write))
