/**
 * A value and the log index of the write that put it there. What it says never changes.
 *
 * A class, because V8 remembers of a literal in the code how long its objects live: where the first ones stayed,
 * as keys are first written, all later ones are made in the old generation, and wait there for a major
 * collection although the next write of their key comes soon.
 */

/** A buffer that values share, and whether anybody but the map may know some of them. */
export interface Page {
  readonly bytes: Uint8Array
  isShown: boolean
}

export class Stored {
  readonly revision: number
  private page: Page | undefined
  private bytes: Uint8Array
  private start: number
  private readonly byteLength: number

  private constructor(
    page: Page | undefined,
    bytes: Uint8Array,
    start: number,
    byteLength: number,
    revision: number
  ) {
    this.page = page
    this.bytes = bytes
    this.start = start
    this.byteLength = byteLength
    this.revision = revision
  }

  /** Takes over `value`, which nobody else may change any more. */
  static of(value: Uint8Array, revision: number): Stored {
    return new Stored(undefined, value, 0, value.byteLength, revision)
  }

  /** The value is `byteLength` bytes of the page from `start` on. */
  static inPage(page: Page, start: number, byteLength: number, revision: number): Stored {
    return new Stored(page, page.bytes, start, byteLength, revision)
  }

  /** May be kept, and must not be written into. */
  get value(): Uint8Array {
    const { byteLength, bytes, start } = this
    return bytes.byteLength === byteLength ? bytes : bytes.subarray(start, start + byteLength)
  }

  /** From now on somebody else has it. */
  shown(): this {
    if (this.page !== undefined) this.page.isShown = true
    return this
  }

  /** Leaves its page, if it is in one, for bytes of its own. */
  settle(): void {
    if (this.page === undefined) return
    // Not `slice`: of a Node Buffer that is a view.
    this.bytes = new Uint8Array(this.value)
    this.start = 0
    this.page = undefined
  }
}
