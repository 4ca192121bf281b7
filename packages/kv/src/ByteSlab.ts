/**
 * Room for what is soon written somewhere else: pieces of a larger buffer, because a buffer of its own costs more
 * than all that is done with a small message (500 of 900 ns for a put of 256 bytes).
 *
 * A piece is the taker's alone and stays as it is, but it keeps its neighbours in memory. So it is for bytes that
 * are copied and dropped, as commands and answers are, and not for bytes that somebody keeps.
 */

const slabBytes = 64 * 1024

/** A larger piece would waste too much of a slab. */
const maxPieceBytes = slabBytes / 8

export class ByteSlab {
  private slab = new Uint8Array(0)
  private taken = 0

  /** A piece of `bytes` bytes, with anything in it. */
  take(bytes: number): Uint8Array {
    if (bytes > maxPieceBytes) return new Uint8Array(bytes)
    if (this.slab.byteLength - this.taken < bytes) {
      this.slab = new Uint8Array(slabBytes)
      this.taken = 0
    }
    this.taken += bytes
    return this.slab.subarray(this.taken - bytes, this.taken)
  }
}
