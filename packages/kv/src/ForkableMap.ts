/**
 * A map that can be copied at once, however large it is.
 *
 * A snapshot wants the state as it is now while writes go on. Copying a large map for it would hold up
 * the node, so the map is kept in buckets: `fork` shares all of them, and the first write to a shared
 * bucket copies that one. Who drops a fork leaves nothing behind but garbage.
 *
 * The order of the entries depends on nothing but the writes, so it is the same on every node.
 */

import { Bucket } from "./Bucket.ts"

/**
 * The first write to a bucket after a fork copies it, and a batch of writes may meet as many buckets, so they must be
 * small: of a million keys a bucket has 244, which takes about a microsecond to copy. Empty they take no memory but a
 * pointer.
 */
const bucketCount = 4 * 1024

/** What a map holds, to be looked at before it is written to again. */
export interface Entries<V> {
  readonly size: number
  /** Not one iterator over all: that would make three objects for each entry, and a snapshot looks at every one. */
  readonly buckets: ReadonlyArray<Pick<Bucket<V>, "keys" | "values"> | undefined>
}

/** A map of strings to immutable values, none of them `undefined`. */
export class ForkableMap<V> implements Entries<V> {
  readonly buckets: Array<Bucket<V> | undefined>
  private token: object = {}
  private count: number

  constructor(buckets: Array<Bucket<V> | undefined> = new Array<undefined>(bucketCount), count = 0) {
    this.buckets = buckets
    this.count = count
  }

  get size(): number {
    return this.count
  }

  get(key: string): V | undefined {
    const hash = hashOf(key)
    return this.buckets[bucketOf(hash)]?.get(hash, key)
  }

  /** Gives what was there before. */
  set(key: string, value: V): V | undefined {
    const hash = hashOf(key)
    const former = this.writable(bucketOf(hash)).set(hash, key, value)
    if (former === undefined) this.count++
    return former
  }

  /** Removes a key; gives what was there. */
  delete(key: string): V | undefined {
    const hash = hashOf(key)
    const at = bucketOf(hash)
    // What is not there must not copy a bucket.
    if (this.buckets[at]?.get(hash, key) === undefined) return undefined
    this.count--
    return this.writable(at).delete(hash, key)
  }

  /** A copy that later writes to this map do not change. Costs a constant. */
  fork(): ForkableMap<V> {
    // From here on no bucket is this map's own; the fork has a token of its own and owns none either.
    this.token = {}
    return new ForkableMap(this.buckets.slice(), this.count)
  }

  private writable(at: number): Bucket<V> {
    const bucket = this.buckets[at]
    if (bucket?.owner === this.token) return bucket
    return (this.buckets[at] = bucket?.copyFor(this.token) ?? Bucket.empty(this.token))
  }
}

/** FNV-1a over the code units, folded so that its low bits depend on all of them. */
const hashOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return hash ^ (hash >>> 16)
}

const bucketOf = (hash: number): number => hash & (bucketCount - 1)
