/**
 * Where values are kept that were written a short while ago.
 *
 * A value that stays needs bytes of its own, for a piece of a larger buffer keeps all of that in memory. But many
 * values are overwritten soon, and a buffer for each of those is the dearest part of a write, on every node, and
 * most of what its collector has to do. So a value is first copied into a page that it shares with its
 * neighbours, and gets a buffer of its own when it has outlived a few pages of later ones.
 */
import type { ForkableMap } from "./ForkableMap.ts"
import { Stored } from "./KvSnapshot.ts"

const pageBytes = 64 * 1024

/** A larger value has a buffer of its own from the beginning. */
const maxPieceBytes = pageBytes / 16

/** So many pages are young; what they hold beside live values is all that this costs. */
const youngPages = 8

interface Page {
  readonly bytes: Uint8Array
  readonly keys: Array<string>
  readonly values: Array<Stored>
}

const emptyPage = (): Page => ({ bytes: new Uint8Array(pageBytes), keys: [], values: [] })

export class YoungValues {
  private readonly map: ForkableMap<Stored>
  private pages: ReadonlyArray<Page> = []
  private page: Page = { bytes: new Uint8Array(0), keys: [], values: [] }
  private filledBytes = 0

  constructor(map: ForkableMap<Stored>) {
    this.map = map
  }

  /** Puts a copy of `value` under `key`. */
  put(key: string, value: Uint8Array, revision: number): void {
    const { byteLength } = value
    if (byteLength > maxPieceBytes) return this.map.set(key, Stored.copyOf(value, revision))
    if (this.page.bytes.byteLength - this.filledBytes < byteLength) this.turnPage()
    const { bytes, keys, values } = this.page
    bytes.set(value, this.filledBytes)
    const stored = new Stored(bytes, this.filledBytes, byteLength, revision)
    this.filledBytes += byteLength
    keys.push(key)
    values.push(stored)
    this.map.set(key, stored)
  }

  private turnPage(): void {
    this.page = emptyPage()
    this.filledBytes = 0
    const [oldest, ...others] = [...this.pages, this.page]
    if (others.length < youngPages || oldest === undefined) {
      this.pages = [...this.pages, this.page]
    } else {
      this.pages = others
      this.settle(oldest)
    }
  }

  private settle({ keys, values }: Page): void {
    values.forEach((stored, position) => {
      if (this.map.get(keys[position]!) === stored) stored.settle()
    })
  }
}
