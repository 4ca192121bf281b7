/**
 * Where values are kept that were written a short while ago.
 *
 * A value that stays needs bytes of its own, for a piece of a larger buffer keeps all of that in memory. But many
 * values are overwritten soon, and a buffer for each of those is the dearest part of a write, on every node, and
 * most of what its collector has to do. So a value is first copied into a page that it shares with its
 * neighbours, and gets a buffer of its own when it has outlived a few pages of later ones.
 *
 * A page that was left is written again, unless somebody may still look into it: a snapshot, or whoever was shown
 * one of its values.
 */
import type { ForkableMap } from "./ForkableMap.ts"
import { Stored } from "./Stored.ts"
import type { Page } from "./Stored.ts"

const pageBytes = 64 * 1024

/** A larger value has a buffer of its own from the beginning. */
const maxPieceBytes = pageBytes / 16

/** So many pages are young; what they hold beside live values is all that this costs. */
const youngPages = 8

interface YoungPage extends Page {
  readonly keys: Array<string>
  readonly values: Array<Stored>
}

const emptyPage = (): YoungPage => ({
  bytes: new Uint8Array(pageBytes),
  isShown: false,
  keys: [],
  values: []
})

export class YoungValues {
  private readonly map: ForkableMap<Stored>
  /** The oldest first; the last one is being filled. */
  private pages: ReadonlyArray<YoungPage> = []
  private page: YoungPage | undefined
  private filledBytes = 0

  constructor(map: ForkableMap<Stored>) {
    this.map = map
  }

  /** Puts a copy of `value` under `key`. */
  put(key: string, value: Uint8Array, revision: number): void {
    const { byteLength } = value
    if (byteLength > maxPieceBytes) return this.map.set(key, Stored.of(new Uint8Array(value), revision))
    const page = this.pageFor(byteLength)
    page.bytes.set(value, this.filledBytes)
    const stored = Stored.inPage(page, this.filledBytes, byteLength, revision)
    this.filledBytes += byteLength
    page.keys.push(key)
    page.values.push(stored)
    this.map.set(key, stored)
  }

  /** The map was forked: its fork has all that is in the pages now. */
  onFork(): void {
    for (const page of this.pages) page.isShown = true
  }

  private pageFor(bytes: number): YoungPage {
    if (this.page !== undefined && pageBytes - this.filledBytes >= bytes) return this.page
    const [oldest, ...others] = this.pages
    const isFull = oldest !== undefined && this.pages.length === youngPages
    const page = isFull ? this.leave(oldest) : emptyPage()
    this.pages = [...(isFull ? others : this.pages), page]
    this.page = page
    this.filledBytes = 0
    return page
  }

  /** Lets what lives in a page settle elsewhere, and gives a page to be filled: the same one, if that can be. */
  private leave(page: YoungPage): YoungPage {
    const { keys, values } = page
    values.forEach((stored, position) => {
      if (this.map.get(keys[position]!) === stored) stored.settle()
    })
    if (page.isShown) return emptyPage()
    keys.length = 0
    values.length = 0
    return page
  }
}
