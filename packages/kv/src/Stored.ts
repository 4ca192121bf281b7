/**
 * A value and the log index of the write that put it there. What it says never changes, though where its bytes
 * are does.
 *
 * A class, because V8 remembers of a literal in the code how long its objects live: where the first ones stayed,
 * as keys are first written, all later ones are made in the old generation, and wait there for a major
 * collection although the next write of their key comes soon.
 */
import type { Page } from "./Page.ts"

export class Stored {
  readonly revision: number
  readonly byteLength: number
  private page: Page | undefined
  private bytes: Uint8Array
  private start: number

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

  isIn(page: Page): boolean {
    return this.page === page
  }

  /** From now on somebody else has it. */
  shown(): this {
    if (this.page !== undefined) this.page.isShown = true
    return this
  }

  /** The map has it no longer; who else has it still may look at it. Gives the page in which it lived. */
  leave(): Page | undefined {
    const { page } = this
    this.page = undefined
    if (page !== undefined) page.liveBytes -= this.byteLength
    return page
  }

  /** Its bytes are elsewhere from now on: in a page, or a buffer of its own. */
  moveTo(page: Page | undefined, bytes: Uint8Array, start: number): void {
    this.page = page
    this.bytes = bytes
    this.start = start
  }
}
