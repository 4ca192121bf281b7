/**
 * The entries of a map whose keys have the same bucket: a few dozen, side by side.
 *
 * Who looks for a key passes over the hashes, which lie one behind the other; that is sooner done than to follow a
 * JavaScript `Map` through its parts, each of them somewhere else in memory. To add an entry moves nothing, where a
 * small `Map` makes itself anew again and again. And a copy is that of three arrays.
 *
 * A bucket in which a great many keys have met, because there are millions or because somebody chose them so, has an
 * index besides.
 */

/** More than this are not passed over, but looked up. */
const maxScanned = 1024

export class Bucket<V> {
  /** The only map that may write here; other maps copy first. */
  readonly owner: object
  private readonly hashes: Array<number>
  private readonly keyed: Array<string>
  private readonly held: Array<V>
  /** Where each key is, once there are many. */
  private index: Map<string, number> | undefined

  private constructor(
    owner: object,
    hashes: Array<number>,
    keyed: Array<string>,
    held: Array<V>,
    index: Map<string, number> | undefined
  ) {
    this.owner = owner
    this.hashes = hashes
    this.keyed = keyed
    this.held = held
    this.index = index
  }

  static empty<V>(owner: object): Bucket<V> {
    return new Bucket<V>(owner, [], [], [], undefined)
  }

  /** A copy that `owner` may write to. */
  copyFor(owner: object): Bucket<V> {
    const { hashes, held, index, keyed } = this
    return new Bucket(owner, hashes.slice(), keyed.slice(), held.slice(), index && new Map(index))
  }

  /** The key at the same place as each of `values`. */
  get keys(): ReadonlyArray<string> {
    return this.keyed
  }

  get values(): ReadonlyArray<V> {
    return this.held
  }

  get(hash: number, key: string): V | undefined {
    // `undefined` at -1, too; but V8 is slow with places that an array has not.
    const at = this.find(hash, key)
    return at < 0 ? undefined : this.held[at]
  }

  /** Gives what was there before. */
  set(hash: number, key: string, value: V): V | undefined {
    const at = this.find(hash, key)
    if (at >= 0) {
      const former = this.held[at]
      this.held[at] = value
      return former
    }
    this.hashes.push(hash)
    this.keyed.push(key)
    this.index?.set(key, this.held.length)
    if (this.held.push(value) > maxScanned)
      this.index ??= new Map(this.keyed.map((known, place) => [known, place]))
    return undefined
  }

  /** Removes a key; gives what was there. The last entry takes its place. */
  delete(hash: number, key: string): V | undefined {
    const at = this.find(hash, key)
    if (at < 0) return undefined
    const former = this.held[at]
    const lastHash = this.hashes.pop()!
    const lastKey = this.keyed.pop()!
    const last = this.held.pop()!
    this.index?.delete(key)
    if (at === this.held.length) return former
    this.hashes[at] = lastHash
    this.keyed[at] = lastKey
    this.held[at] = last
    this.index?.set(lastKey, at)
    return former
  }

  private find(hash: number, key: string): number {
    const { hashes, index, keyed } = this
    if (index !== undefined) return index.get(key) ?? -1
    for (let at = 0; at < hashes.length; at++) if (hashes[at] === hash && keyed[at] === key) return at
    return -1
  }
}
