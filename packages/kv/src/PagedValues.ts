/**
 * The map, and its values, many to a buffer.
 *
 * A buffer of its own is the dearest part of a value: to make it takes longer than all the rest of a write, and
 * it takes more memory than a short value has. So values share pages. A new one is copied into the page that is
 * being filled. Many values are overwritten soon, so a page is looked at when a few later ones are full: if
 * little of it lives by then, that moves elsewhere. Otherwise the page is closed.
 *
 * A value keeps all of its page in memory. So where less than half of a closed page lives, what lives moves out:
 * pages take at most about twice what is in them, and no byte is copied more often than others become free.
 *
 * A page out of which all has moved is filled again, unless somebody may still look into it: a fork of which a snapshot
 * is being made, or whoever was shown one of its values, or one that has moved here since. New pages for all that is
 * overwritten would be as much for the collector as the log itself.
 *
 * The pieces of a snapshot become closed pages as they come: a large state is restored without copying it.
 */
import { ForkableMap } from "./ForkableMap.ts"
import type { Entries } from "./ForkableMap.ts"
import { Page } from "./Page.ts"
import { Stored } from "./Stored.ts"

const pageBytes = 64 * 1024

/** A larger value has a buffer of its own. */
const maxSharedBytes = pageBytes / 16

/** So many pages are young; what they hold beside live values is all that this costs. */
const youngPages = 8

/** So many pages without values wait to be filled again. */
const maxSparePages = 8

export class PagedValues {
  private readonly map = new ForkableMap<Stored>()
  /** The oldest first; the last one is being filled. */
  private young: ReadonlyArray<Page> = []
  private filling: Page | undefined
  /** Nobody looks into them any more. */
  private readonly spare: Array<Page> = []
  /** How often all was forked. */
  private forks = 0
  /** Their numbers; a fork that nobody has any more must not be kept for it. */
  private readonly numbers = new WeakMap<ForkableMap<Stored>, number>()
  /** The numbers of those that somebody may still look at. */
  private readonly living = new Set<number>()
  /** The newest of them; 0 where there is none. A page that was begun after it nobody knows by a fork. */
  private newestFork = 0
  /** Is being filled with values that had to move. */
  private refuge = this.emptyPage()

  get size(): number {
    return this.map.size
  }

  get(key: string): Stored | undefined {
    return this.map.get(key)
  }

  /** Puts a copy of `value` under `key`. */
  put(key: string, value: Uint8Array, revision: number): void {
    const stored =
      value.byteLength > maxSharedBytes
        ? Stored.of(new Uint8Array(value), revision)
        : this.pageFor(value.byteLength).put(value, revision)
    this.drop(this.map.set(key, stored))
  }

  /** Removes a key; tells whether it was there. */
  delete(key: string): boolean {
    const former = this.map.delete(key)
    this.drop(former)
    return former !== undefined
  }

  /** All as it is now, to be looked at at once: the next write changes it. */
  present(): Entries<Stored> {
    return this.map
  }

  /** All as it is now. What comes later does not change it, until `endFork` says that nobody looks at it any more. */
  fork(): ForkableMap<Stored> {
    const fork = this.map.fork()
    this.forks += 1
    this.newestFork = this.forks
    this.numbers.set(fork, this.forks)
    this.living.add(this.forks)
    return fork
  }

  /** Nobody will look at this fork again: what only it knew may be written over. */
  endFork(fork: ForkableMap<Stored>): void {
    this.living.delete(this.numbers.get(fork) ?? 0)
    this.newestFork = 0
    // They came in the order of their numbers.
    for (const number of this.living) this.newestFork = number
  }

  /** Puts a value that is in `page` already, a piece of a snapshot. */
  lend(
    key: string,
    page: Page,
    value: { readonly start: number; readonly byteLength: number; readonly revision: number }
  ): void {
    this.drop(this.map.set(key, page.lend(value.start, value.byteLength, value.revision)))
  }

  /** A page gets no more values. */
  close(page: Page): void {
    page.isClosed = true
    if (page.isSparse) this.vacate(page)
  }

  private drop(former: Stored | undefined): void {
    const page = former?.leave()
    if (page?.isClosed === true && page.isSparse) this.vacate(page)
  }

  private pageFor(bytes: number): Page {
    if (this.filling?.hasRoomFor(bytes) === true) return this.filling
    const [oldest, ...others] = this.young
    const isFull = oldest !== undefined && this.young.length === youngPages
    if (isFull) this.retire(oldest)
    const page = this.emptyPage()
    this.young = [...(isFull ? others : this.young), page]
    this.filling = page
    return page
  }

  private emptyPage(): Page {
    const page = this.spare.pop() ?? new Page(new Uint8Array(pageBytes))
    return page.begin(this.forks)
  }

  /** A page is young no longer. */
  private retire(page: Page): void {
    page.isClosed = true
    if (page.isSparse) this.vacate(page)
  }

  private vacate(page: Page): void {
    page.clear((stored) => this.settle(stored, page))
    const isKnown = page.isShown || page.forks < this.newestFork
    if (!isKnown && this.spare.length < maxSparePages) this.spare.push(page)
  }

  private settle(stored: Stored, former: Page): void {
    const { byteLength } = stored
    // Not `slice`: of a Node Buffer that is a view.
    if (byteLength > maxSharedBytes) return stored.moveTo(undefined, new Uint8Array(stored.value), 0)
    if (!this.refuge.hasRoomFor(byteLength)) {
      const full = this.refuge
      this.refuge = this.emptyPage()
      this.retire(full)
    }
    this.refuge.adopt(stored)
    // Who knows the value looks for its bytes here from now on.
    if (former.isShown) this.refuge.isShown = true
    this.refuge.forks = Math.min(this.refuge.forks, former.forks)
  }
}
