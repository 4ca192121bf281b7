/**
 * The memory of the search: which configurations have been tried and led nowhere.
 *
 * Lowe's cache, with one thing added. Of two configurations that differ only in which operations of
 * unknown outcome were used up, the one that used fewer can do all that the other can. So what is
 * remembered for each key is the smallest such sets, and a configuration that used up as much or more
 * need not be tried. Without this, n unknown writes make 2ⁿ configurations out of one.
 */

/** A set of small numbers, 32 to a word. Never written to once it is remembered. */
export type BitSet = Uint32Array

export const emptyBits = (size: number): BitSet => new Uint32Array(Math.ceil(size / 32))

export const hasBit = (bits: BitSet, index: number): boolean =>
  (bits[index >>> 5]! & (1 << (index & 31))) !== 0

export const withBit = (bits: BitSet, index: number): BitSet => {
  const copy = bits.slice()
  copy[index >>> 5]! |= 1 << (index & 31)
  return copy
}

const isSubset = (a: BitSet, b: BitSet): boolean => {
  for (let word = 0; word < a.length; word++) if ((a[word]! & ~b[word]!) !== 0) return false
  return true
}

export class Visited {
  private readonly smallest = new Map<string, Array<BitSet>>()

  /** Remembers a configuration. False where it, or one that can do all that it can, is known already. */
  add(key: string, used: BitSet): boolean {
    const known = this.smallest.get(key)
    if (known === undefined) {
      this.smallest.set(key, [used])
      return true
    }
    if (known.some((other) => isSubset(other, used))) return false
    let kept = 0
    for (const other of known) if (!isSubset(used, other)) known[kept++] = other
    known.length = kept
    known.push(used)
    return true
  }
}
