/**
 * Room for small messages and values: pieces of a larger buffer, because a buffer of its own costs more than all
 * that is done with a small message (500 of 900 ns for a put of 256 bytes), and gives the collector's threads most
 * of their work.
 *
 * A piece is the taker's alone and stays as it is, but it keeps its neighbours in memory. So what is copied and
 * dropped, as commands and answers are, comes from large slabs, and what somebody may keep from small ones.
 */

/** The largest piece of a slab is an eighth of it: a larger one would waste too much. */
const piecesOfSlab = 8

export class ByteSlab {
  private readonly slabBytes: number
  private slab = new Uint8Array(0)
  private taken = 0

  constructor(slabBytes: number = 64 * 1024) {
    this.slabBytes = slabBytes
  }

  /** A piece of `bytes` bytes, with anything in it. */
  take(bytes: number): Uint8Array {
    if (bytes * piecesOfSlab > this.slabBytes) return new Uint8Array(bytes)
    if (this.slab.byteLength - this.taken < bytes) {
      this.slab = new Uint8Array(this.slabBytes)
      this.taken = 0
    }
    const start = this.taken
    this.taken += bytes
    return new Uint8Array(this.slab.buffer, start, bytes)
  }
}
