/**
 * Values in pages: what anybody was shown never changes, and what lives never keeps much more memory than it has
 * bytes.
 */
import { assert, describe, it } from "@effect/vitest"
import type { ForkableMap } from "../src/ForkableMap.ts"
import * as KvSnapshot from "../src/KvSnapshot.ts"
import { PagedValues } from "../src/PagedValues.ts"
import type { Stored } from "../src/Stored.ts"
import { diceFrom } from "./dice.ts"

const valueBytes = 1024
const pageBytes = 64 * 1024

const valueOf = (bytes: number, revision: number) => new Uint8Array(bytes).fill(revision % 251)

/** Writes as a command does, whose bytes are not its own. */
const put = (values: PagedValues, key: string, revision: number, bytes = valueBytes): Stored => {
  const value = valueOf(bytes, revision)
  values.put(key, value, revision)
  value.fill(0xee)
  return values.get(key)!
}

const entriesOf = (values: PagedValues): ReadonlyArray<readonly [string, Stored]> =>
  values
    .present()
    .buckets.flatMap(
      (bucket) => bucket?.values.map((stored, at) => [bucket.keys[at]!, stored] as const) ?? []
    )

/** The memory that the values keep. */
const heldBytes = (values: PagedValues): number => {
  const buffers = new Set<ArrayBufferLike>()
  for (const [, stored] of entriesOf(values)) buffers.add(stored.value.buffer)
  return Array.from(buffers).reduce((total, { byteLength }) => total + byteLength, 0)
}

describe("PagedValues", () => {
  it("keeps values of any size", () => {
    const values = new PagedValues()
    const sizes = [0, 1, 255, 4096, 4097, 70_000]
    const bytesOf = (i: number) => sizes[i % sizes.length]!
    for (let i = 0; i < 6000; i++) put(values, `k${i}`, i, bytesOf(i))
    assert.strictEqual(values.size, 6000)
    for (let i = 0; i < 6000; i++) {
      const { revision, value } = values.get(`k${i}`)!
      assert.strictEqual(revision, i)
      assert.isTrue(Buffer.compare(value, valueOf(bytesOf(i), i)) === 0, `k${i}`)
    }
  })

  it("copies no value again where most of its page lives", () => {
    const values = new PagedValues()
    const first = put(values, "k0", 0).shown().value
    for (let i = 1; i < 6000; i++) put(values, `k${i}`, i)
    assert.strictEqual(values.get("k0")?.value.buffer, first.buffer)
    assert.isAtMost(heldBytes(values), 6000 * valueBytes + 10 * pageBytes)
  })

  it("a value that outlives its neighbours moves out of their page", () => {
    const values = new PagedValues()
    const before = put(values, "old", 7).value.buffer
    for (let i = 0; i < 440; i++) put(values, "hot", i)
    assert.strictEqual(values.get("old")?.value.buffer, before)
    for (let i = 0; i < 200; i++) put(values, "hot", i)
    const { revision, value } = values.get("old")!
    assert.notStrictEqual(value.buffer, before)
    assert.deepStrictEqual([revision, value], [7, valueOf(valueBytes, 7)])
  })

  it("writes again into pages that nobody looks into, and only into those", () => {
    const values = new PagedValues()
    const buffers = (puts: number, isShown: boolean) => {
      const found = new Set<ArrayBufferLike>()
      for (let i = 0; i < puts; i++) {
        const stored = put(values, "hot", i)
        found.add((isShown ? stored.shown() : stored).value.buffer)
      }
      return found.size
    }
    assert.strictEqual(buffers(64 * 40, false), 8)
    assert.isAtLeast(buffers(64 * 40, true), 39)
  })

  it("writes again into pages whose values were all overwritten, but for those that a fork knows", () => {
    const buffersOf = (forks: "None" | "Kept" | "Ended") => {
      const values = new PagedValues()
      const found = new Set<ArrayBufferLike>()
      for (let i = 0; i < 20_000; i++) {
        found.add(put(values, `k${i % 1000}`, i).value.buffer)
        if (forks === "None" || i % 500 > 0) continue
        const fork = values.fork()
        if (forks === "Ended") values.endFork(fork)
      }
      return found.size
    }
    // 1,000 values fill 16 pages, and twice as many may be in use.
    assert.isAtMost(buffersOf("None"), 40)
    assert.isAtMost(buffersOf("Ended"), 40)
    assert.isAtLeast(buffersOf("Kept"), 300)
  })

  it("takes at most about twice the memory of what lives, whatever is overwritten and deleted", () => {
    const values = new PagedValues()
    const dice = diceFrom(5)
    const live = new Map<string, number>()
    const check = () => {
      const liveBytes = Array.from(live.values()).reduce((total, bytes) => total + bytes, 0)
      assert.isAtMost(heldBytes(values), 2 * liveBytes + 16 * pageBytes)
    }
    for (let revision = 1; revision <= 40_000; revision++) {
      const key = `key ${dice(3000)}`
      const bytes = [40, 300, 4000][dice(3)]!
      put(values, key, revision, bytes)
      live.set(key, bytes)
      if (revision % 8000 === 0) check()
    }
    for (let i = 0; i < 3000; i++) {
      if (i % 17 === 0) continue
      values.delete(`key ${i}`)
      live.delete(`key ${i}`)
    }
    assert.strictEqual(values.size, live.size)
    check()
  })

  it("a fork sees its values however often they move, while younger ones come and go", () => {
    const dice = diceFrom(23)
    const values = new PagedValues()
    const model = new Map<string, number>()
    const write = (revision: number) => {
      const key = dice(2) === 0 ? `hot ${dice(20)}` : `warm ${dice(2000)}`
      put(values, key, revision)
      model.set(key, revision)
    }
    for (let revision = 1; revision < 10_000; revision++) write(revision)
    const [fork, then] = [values.fork(), new Map(model)]
    for (let revision = 10_000; revision < 40_000; revision++) {
      write(revision)
      if (dice(500) === 0) values.endFork(values.fork())
    }
    for (const [key, revision] of then) {
      const stored = fork.get(key)!
      assert.isTrue(Buffer.compare(stored.value, valueOf(valueBytes, revision)) === 0, key)
    }
  })

  it("changes nothing that was ever shown, forked or stored", () => {
    const dice = diceFrom(11)
    const values = new PagedValues()
    const model = new Map<string, number>()
    const shown: Array<readonly [stored: Stored, value: Uint8Array]> = []
    const forks: Array<readonly [ForkableMap<Stored>, Map<string, number>]> = []
    const bytesOf = (revision: number) => 200 + (revision % 7) * 300
    const expectForked = (fork: ForkableMap<Stored>, then: ReadonlyMap<string, number>) => {
      assert.strictEqual(fork.size, then.size)
      for (const [key, revision] of then) {
        const stored = fork.get(key)
        assert.strictEqual(stored?.revision, revision)
        assert.isTrue(Buffer.compare(stored!.value, valueOf(bytesOf(revision), revision)) === 0, key)
      }
    }
    for (let revision = 1; revision < 30_000; revision++) {
      // Most keys are hot, some are written once in a while, and some once.
      const key = [`hot ${dice(20)}`, `warm ${dice(2000)}`, `cold ${revision}`][Math.floor(dice(30) / 14)]!
      put(values, key, revision, bytesOf(revision))
      model.set(key, revision)
      if (dice(500) === 0) {
        const [some] = Array.from(model.keys()).slice(dice(model.size))
        const stored = values.get(some!)!.shown()
        shown.push([stored, stored.value])
      }
      if (dice(900) === 0) {
        const [some] = Array.from(model.keys()).slice(dice(model.size))
        assert.isTrue(values.delete(some!))
        model.delete(some!)
      }
      if (dice(1000) === 0) forks.push([values.fork(), new Map(model)])
      if (forks.length > 3) {
        const [[ended, then]] = forks.splice(dice(forks.length), 1) as [(typeof forks)[number]]
        expectForked(ended, then)
        values.endFork(ended)
      }
    }
    for (const [stored, value] of shown) {
      const then = valueOf(bytesOf(stored.revision), stored.revision)
      assert.deepStrictEqual(value, then)
      assert.deepStrictEqual(stored.value, then)
    }
    assert.isAbove(forks.length, 1)
    for (const [fork, then] of [...forks, [values.fork(), model] as const]) expectForked(fork, then)
  })
})

describe("a restored state", () => {
  const restored = (from: PagedValues) => {
    const pieces = Array.from(KvSnapshot.encode(from.fork()))
    const reading = new KvSnapshot.Reading()
    for (const piece of pieces) reading.add(piece)
    return { values: reading.finish(), buffers: new Set(pieces.map(({ buffer }) => buffer)) }
  }

  it("has its values where they came, but for those that were cut in two", () => {
    const written = new PagedValues()
    for (let i = 0; i < 2000; i++) put(written, `k${i}`, i)
    const { buffers, values } = restored(written)
    let moved = 0
    for (const [key, stored] of entriesOf(values)) {
      assert.strictEqual(key, `k${stored.revision}`)
      assert.isTrue(Buffer.compare(stored.value, valueOf(valueBytes, stored.revision)) === 0, key)
      if (!buffers.has(stored.value.buffer)) moved += 1
    }
    assert.isAbove(buffers.size, 5)
    assert.isBelow(moved, buffers.size)
  })

  it("lets go of a piece of which little lives, and writes into none", () => {
    const written = new PagedValues()
    for (let i = 0; i < 2000; i++) put(written, `k${i}`, i)
    const { values } = restored(written)
    const kept = values.get("k7")!.shown().value
    for (let i = 0; i < 2000; i++) if (i % 10 !== 7) put(values, `k${i}`, 5000 + i, 10)
    for (let i = 0; i < 3000; i++) put(values, "hot", i)
    assert.isAtMost(heldBytes(values), 2 * (200 * valueBytes + 1800 * 10) + 16 * pageBytes)
    assert.deepStrictEqual(kept, valueOf(valueBytes, 7))
    assert.deepStrictEqual(values.get("k17")?.value, valueOf(valueBytes, 17))
  })

  it("keeps no piece for the sake of values that are shorter than what is around them", () => {
    const written = new PagedValues()
    for (let i = 0; i < 20_000; i++) put(written, `a key that is much longer than its value ${i}`, i, 8)
    const { values } = restored(written)
    assert.isAtMost(heldBytes(values), 2 * 20_000 * 8 + 2 * pageBytes)
  })
})
