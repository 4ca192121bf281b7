/**
 * The log in memory: checked against a plain array, whatever is done to it in whatever order.
 */
import { describe, expect, it } from "vitest"
import * as LogEntry from "../../src/LogEntry.ts"
import * as RaftLog from "../../src/consensus/RaftLog.ts"
import * as Build from "./Build.ts"
import { Dice } from "./Dice.ts"
import { index, term } from "./Harness.ts"

/** A log, and what it should hold: the term of each entry. */
interface Pair {
  readonly log: RaftLog.RaftLog
  readonly terms: ReadonlyArray<number>
}

const make = (terms: ReadonlyArray<number>): Pair => ({ log: RaftLog.fromBlocks(Build.blocks(terms)), terms })

const termsOf = ({ log }: Pair): Array<number> =>
  Array.from({ length: log.lastIndex }, (_, position) => Number(RaftLog.termAt(log, index(position + 1))))

/** Appends a block of one to five entries; sometimes one with several terms, as a follower's disk gives it. */
const grow = (dice: Dice, { log, terms }: Pair): Pair => {
  const last = terms[terms.length - 1] ?? 1
  const added = Array.from({ length: 1 + dice.below(5) }, () => last + dice.below(2)).sort((a, b) => a - b)
  const blocks = dice.oneIn(2) ? [mixedBlock(added, terms.length + 1)] : Build.blocks(added, terms.length + 1)
  return { log: blocks.reduce(RaftLog.append, log), terms: [...terms, ...added] }
}

/** One block whose terms differ: the bytes of several, read back as one. */
const mixedBlock = (terms: ReadonlyArray<number>, firstIndex: number): LogEntry.EntryBlock => {
  const bytes = Build.blocks(terms, firstIndex).flatMap((block) => Array.from(block.bytes))
  const block = LogEntry.decodeBlock(Uint8Array.from(bytes), index(firstIndex))
  if (block instanceof LogEntry.MalformedBlock) throw block
  return block
}

const cut = (dice: Dice, { log, terms }: Pair): Pair => {
  const from = 1 + dice.below(terms.length + 1)
  return { log: RaftLog.truncateFrom(log, index(from)), terms: terms.slice(0, from - 1) }
}

describe("views of one log (section 5.3)", () => {
  it("old views stay as they were, however newer ones grow, are cut and branch", () => {
    const dice = new Dice(1)
    for (let round = 0; round < 300; round++) {
      const pairs: Array<Pair> = [make([])]
      for (let step = 0; step < 30; step++) {
        // Mostly the newest view is changed, now and then an old one.
        const from = dice.oneIn(4) ? dice.pick(pairs) : pairs[pairs.length - 1]!
        pairs.push(dice.oneIn(3) ? cut(dice, from) : grow(dice, from))
      }
      for (const pair of pairs) {
        expect(termsOf(pair)).toEqual(pair.terms)
        expect(pair.log.lastTerm).toBe(pair.terms[pair.terms.length - 1] ?? 0)
      }
    }
  })

  it("a block that leaves a gap, or overlaps, is a mistake in the program", () => {
    const { log } = make([1, 1])
    expect(() => RaftLog.append(log, Build.blocks([1], 4)[0]!)).toThrow("does not follow")
    expect(() => RaftLog.append(log, Build.blocks([1], 2)[0]!)).toThrow("does not follow")
  })

  it("an index past the end has no term, index 0 has term 0", () => {
    const { log } = make([1, 2])
    expect(RaftLog.termAt(log, index(0))).toBe(0)
    expect(RaftLog.termAt(log, index(2))).toBe(2)
    expect(RaftLog.termAt(log, index(3))).toBe(undefined)
  })
})

/** As many entries as both bounds allow, but one at least, where there is one. */
const howManyFit = (
  terms: ReadonlyArray<number>,
  options: { readonly from: number; readonly maxEntries: number; readonly maxBytes: number }
): number => {
  const sizes = terms.map((entryTerm, position) =>
    LogEntry.encodedBytes(`${position + 1}@${entryTerm}`.length)
  )
  const offered = sizes.slice(options.from - 1, options.from - 1 + options.maxEntries)
  let bytes = 0
  const fitting = offered.filter((size) => (bytes += size) <= options.maxBytes).length
  return Math.min(offered.length, Math.max(1, fitting))
}

describe("questions to a log, against a plain array", () => {
  const randomPairs = (count: number): ReadonlyArray<readonly [Pair, Dice]> => {
    const dice = new Dice(2)
    return Array.from({ length: count }, () => {
      let pair = make([])
      for (let step = 1 + dice.below(8); step > 0; step--) pair = grow(dice, pair)
      return [dice.oneIn(2) ? cut(dice, pair) : pair, dice] as const
    })
  }

  it("the first index of a term", () => {
    for (const [{ log, terms }] of randomPairs(500)) {
      terms.forEach((entryTerm, position) => {
        expect(RaftLog.firstIndexOfTermAt(log, index(position + 1))).toBe(terms.indexOf(entryTerm) + 1)
      })
    }
  })

  it("the last index up to a term", () => {
    for (const [{ log, terms }, dice] of randomPairs(500)) {
      const from = dice.below(terms.length + 3)
      const upTo = dice.below(8)
      const expected = terms.slice(0, from).findLastIndex((entryTerm) => entryTerm <= upTo) + 1
      expect(RaftLog.lastIndexUpToTerm(log, index(from), term(upTo))).toBe(expected)
    }
  })

  it("the entries from an index, within bounds, at least one", () => {
    for (const [{ log, terms }, dice] of randomPairs(1000)) {
      const from = 1 + dice.below(terms.length + 2)
      const maxEntries = 1 + dice.below(6)
      const maxBytes = dice.pick([1, 30, 60, 100, 1000])
      const blocks = RaftLog.blocksFrom(log, index(from), { maxBytes, maxEntries })
      const entries = blocks.flatMap(LogEntry.entries)
      expect(entries.map((entry) => entry.index)).toEqual(entries.map((_, position) => from + position))
      expect(entries.map((entry) => entry.term)).toEqual(terms.slice(from - 1, from - 1 + entries.length))
      expect(entries.length).toBe(howManyFit(terms, { from, maxEntries, maxBytes }))
    }
  })

  it("the bytes of a range", () => {
    for (const [{ log, terms }, dice] of randomPairs(500)) {
      const from = 1 + dice.below(terms.length + 1)
      const to = from - 1 + dice.below(terms.length - from + 2)
      const entries = RaftLog.blocksBetween(log, index(from), index(to)).flatMap(LogEntry.entries)
      const bytes = entries.reduce((sum, entry) => sum + LogEntry.encodedBytes(entry.payload.byteLength), 0)
      expect(entries).toHaveLength(to - from + 1)
      expect(RaftLog.bytesBetween(log, index(from), index(to))).toBe(bytes)
    }
  })
})
