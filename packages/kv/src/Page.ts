/**
 * A buffer that values share.
 *
 * While one of its values lives all of it stays in memory, so it counts how many of its bytes live.
 */
import { Stored } from "./Stored.ts"

export class Page {
  readonly bytes: Uint8Array
  filledBytes = 0
  /** How many bytes the values have that are still in the map. */
  liveBytes = 0
  /** Whether anybody but the map may know some of its values, or its bytes: then it must not be written again. */
  isShown = false
  /** How many forks of the map there had been when its first value came. A later one knows what lives here. */
  forks = 0
  /** It gets no more values until it is begun anew. */
  isClosed = false
  /** All values that were put here, also those that have left. */
  private readonly values: Array<Stored> = []

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Bytes in which values lie already, and which others may hold, too. */
  static lent(bytes: Uint8Array): Page {
    const page = new Page(bytes)
    page.isShown = true
    return page
  }

  /** A page without values is to be filled. */
  begin(forks: number): this {
    this.forks = forks
    this.isClosed = false
    return this
  }

  hasRoomFor(bytes: number): boolean {
    return this.bytes.byteLength - this.filledBytes >= bytes
  }

  /** Less than half of it is of use. */
  get isSparse(): boolean {
    return 2 * this.liveBytes < this.bytes.byteLength
  }

  /** Puts a copy of `value` behind the others. */
  put(value: Uint8Array, revision: number): Stored {
    const start = this.append(value)
    return this.lend(start, value.byteLength, revision)
  }

  /** A value that is in the buffer already. */
  lend(start: number, byteLength: number, revision: number): Stored {
    const stored = Stored.inPage(this, start, byteLength, revision)
    this.liveBytes += byteLength
    this.values.push(stored)
    return stored
  }

  /** Takes in a value that lived elsewhere. */
  adopt(stored: Stored): void {
    const start = this.append(stored.value)
    stored.moveTo(this, this.bytes, start)
    this.liveBytes += stored.byteLength
    this.values.push(stored)
  }

  /** Sends each value that lives here to `settle`, which gives it another place. Nothing lives here afterwards. */
  clear(settle: (stored: Stored) => void): void {
    for (const stored of this.values) if (stored.isIn(this)) settle(stored)
    this.values.length = 0
    this.liveBytes = 0
    this.filledBytes = 0
  }

  private append(value: Uint8Array): number {
    const start = this.filledBytes
    this.bytes.set(value, start)
    this.filledBytes += value.byteLength
    return start
  }
}
