/**
 * A map that can be copied at once, however large it is.
 *
 * A snapshot wants the state as it is now while writes go on. Copying a large map for it would hold up
 * the node, so the map is kept in buckets: `fork` shares all of them, and the first write to a shared
 * bucket copies that one. Who drops a fork leaves nothing behind but garbage.
 *
 * The order of `entries` depends on nothing but the writes, so it is the same on every node.
 */

const bucketCount = 1024

interface Bucket<V> {
  /** The only map that may write here; other maps copy first. */
  owner: object | undefined
  readonly entries: Map<string, V>
}

/** A map of strings to immutable values. */
export class ForkableMap<V> {
  private readonly buckets: Array<Bucket<V> | undefined>
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
    return this.buckets[bucketOf(key)]?.entries.get(key)
  }

  set(key: string, value: V): void {
    const entries = this.writable(bucketOf(key))
    const before = entries.size
    entries.set(key, value)
    this.count += entries.size - before
  }

  /** Removes a key; tells whether it was there. */
  delete(key: string): boolean {
    const at = bucketOf(key)
    if (this.buckets[at]?.entries.has(key) !== true) return false
    this.writable(at).delete(key)
    this.count--
    return true
  }

  *entries(): Generator<readonly [string, V]> {
    for (const bucket of this.buckets) {
      if (bucket !== undefined) yield* bucket.entries
    }
  }

  /** A copy that later writes to this map do not change. Costs a constant. */
  fork(): ForkableMap<V> {
    // From here on no bucket is this map's own; the fork has a token of its own and owns none either.
    this.token = {}
    return new ForkableMap(this.buckets.slice(), this.count)
  }

  private writable(at: number): Map<string, V> {
    const bucket = this.buckets[at]
    if (bucket !== undefined && bucket.owner === this.token) return bucket.entries
    const own = new Map(bucket?.entries)
    this.buckets[at] = { owner: this.token, entries: own }
    return own
  }
}

/** FNV-1a over the code units, folded to a bucket. */
const bucketOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 16)) & (bucketCount - 1)
}
