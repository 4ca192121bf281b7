import { assert, describe, it } from "@effect/vitest"
import { ForkableMap } from "../src/ForkableMap.ts"
import type { Stored } from "../src/Stored.ts"
import { YoungValues } from "../src/YoungValues.ts"

const valueBytes = 1024

const valueOf = (bytes: number, revision: number) => new Uint8Array(bytes).fill(revision % 251)

const store = () => {
  const map = new ForkableMap<Stored>()
  const young = new YoungValues(map)
  return {
    map,
    young,
    put: (key: string, revision: number, bytes = valueBytes): Stored => {
      const value = valueOf(bytes, revision)
      young.put(key, value, revision)
      value.fill(0xee)
      return map.get(key)!
    }
  }
}

const isAlone = ({ value }: Stored): boolean => value.buffer.byteLength === value.byteLength

describe("YoungValues", () => {
  it("gives a value bytes of its own when it outlives half a megabyte of later ones, and not before", () => {
    const { map, put } = store()
    const old = put("old", 7)
    for (let i = 0; i < 440; i++) put("hot", i)
    assert.isFalse(isAlone(old))
    const kept = old.shown().value
    for (let i = 0; i < 200; i++) put("hot", i)
    assert.isTrue(isAlone(old))
    assert.deepStrictEqual(map.get("old")?.value, new Uint8Array(valueBytes).fill(7))
    assert.deepStrictEqual(kept, new Uint8Array(valueBytes).fill(7))
    assert.strictEqual(map.get("old")?.revision, 7)
  })

  it("copies nothing that was overwritten or deleted", () => {
    const { map, put } = store()
    const overwritten = put("a", 1)
    const deleted = put("b", 2)
    put("a", 3)
    map.delete("b")
    for (let i = 0; i < 1200; i++) put("hot", i)
    assert.isFalse(isAlone(overwritten))
    assert.isFalse(isAlone(deleted))
    assert.isTrue(isAlone(map.get("a")!))
  })

  it("keeps values of any size, and few of them together", () => {
    const { map, put } = store()
    const sizes = [0, 1, 255, 4096, 4097, 70_000]
    const bytesOf = (i: number) => sizes[i % sizes.length]!
    for (let i = 0; i < 6000; i++) put(`k${i}`, i, bytesOf(i))
    let together = 0
    for (const [key, stored] of map.entries()) {
      const { revision, value } = stored
      assert.strictEqual(key, `k${revision}`)
      assert.deepStrictEqual(value, new Uint8Array(bytesOf(revision)).fill(revision % 251))
      if (!isAlone(stored)) together += value.byteLength
    }
    assert.isAtMost(together, 8 * 64 * 1024)
    assert.isAtLeast(together, 4 * 64 * 1024)
  })

  it("writes again into pages that nobody looks into, and only into those", () => {
    const { put } = store()
    const buffers = (puts: number, isShown: boolean) => {
      const found = new Set<ArrayBufferLike>()
      for (let i = 0; i < puts; i++) {
        const stored = put("hot", i)
        found.add((isShown ? stored.shown() : stored).value.buffer)
      }
      return found.size
    }
    assert.strictEqual(buffers(64 * 40, false), 8)
    assert.isAtLeast(buffers(64 * 40, true), 39)
  })

  it("changes nothing that was ever shown, forked or stored", () => {
    let seed = 11
    const dice = (sides: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % sides
    }
    const { map, put, young } = store()
    const model = new Map<string, number>()
    const shown: Array<readonly [value: Uint8Array, revision: number]> = []
    const forks: Array<readonly [ForkableMap<Stored>, Map<string, number>]> = []
    const bytesOf = (revision: number) => 200 + (revision % 7) * 300
    for (let revision = 1; revision < 30_000; revision++) {
      // Most keys are hot, some are written once in a while, and some once.
      const key = [`hot ${dice(20)}`, `warm ${dice(2000)}`, `cold ${revision}`][Math.floor(dice(30) / 14)]!
      put(key, revision, bytesOf(revision))
      model.set(key, revision)
      if (dice(500) === 0) {
        const [some] = Array.from(model.keys()).slice(dice(model.size))
        const stored = map.get(some!)!.shown()
        shown.push([stored.value, stored.revision])
      }
      if (dice(6000) === 0) {
        forks.push([map.fork(), new Map(model)])
        young.onFork()
      }
    }
    for (const [value, revision] of shown) assert.deepStrictEqual(value, valueOf(bytesOf(revision), revision))
    assert.isAbove(forks.length, 1)
    for (const [fork, then] of [...forks, [map, model] as const]) {
      assert.strictEqual(fork.size, then.size)
      for (const [key, revision] of then) {
        const stored = fork.get(key)
        assert.strictEqual(stored?.revision, revision)
        assert.isTrue(Buffer.compare(stored!.value, valueOf(bytesOf(revision), revision)) === 0, key)
      }
    }
  })
})
