/** A map that can be forked holds what a `Map` would, whatever is written to it and to its forks. */
import { assert, describe, it } from "@effect/vitest"
import { Bucket } from "../src/Bucket.ts"
import { ForkableMap } from "../src/ForkableMap.ts"
import type { Entries } from "../src/ForkableMap.ts"
import { diceFrom } from "./dice.ts"

const entriesOf = ({ keys, values }: Pick<Bucket<number>, "keys" | "values">) =>
  values.map((value, at) => [keys[at]!, value] as const)

/** In the order in which a snapshot would have them. */
const contentsOf = ({ buckets }: Entries<number>) =>
  buckets.flatMap((bucket) => (bucket === undefined ? [] : entriesOf(bucket)))

const sorted = (entries: Iterable<readonly [string, number]>) =>
  Array.from(entries).toSorted(([one], [other]) => (one < other ? -1 : 1))

const assertHolds = (map: ForkableMap<number>, model: ReadonlyMap<string, number>): void => {
  assert.strictEqual(map.size, model.size)
  assert.deepStrictEqual(sorted(contentsOf(map)), sorted(model))
  for (const [key, value] of model) assert.strictEqual(map.get(key), value)
}

describe("a forkable map", () => {
  it("forks of forks are each their own", () => {
    const first = new ForkableMap<number>()
    first.set("a", 1)
    const second = first.fork()
    second.set("a", 2)
    const third = second.fork()
    first.set("a", 10)
    second.delete("a")
    assert.deepStrictEqual([first.get("a"), second.get("a"), third.get("a")], [10, undefined, 2])
    assert.deepStrictEqual([first.size, second.size, third.size], [1, 0, 1])
  })

  it("holds what a map holds, and its forks what it held then", () => {
    const dice = diceFrom(3)
    const map = new ForkableMap<number>()
    const model = new Map<string, number>()
    const forks: Array<readonly [ForkableMap<number>, ReadonlyMap<string, number>]> = []
    for (let i = 1; i <= 60_000; i++) {
      const key = `key ${dice(15_000)}`
      if (dice(3) === 0) {
        assert.strictEqual(map.delete(key), model.get(key))
        model.delete(key)
      } else {
        assert.strictEqual(map.set(key, i), model.get(key))
        model.set(key, i)
      }
      if (i % 20_000 === 0) forks.push([map.fork(), new Map(model)])
    }
    assert.strictEqual(map.get("no such key"), undefined)
    assert.strictEqual(map.delete("no such key"), undefined)
    for (const [fork, then] of [...forks, [map, model] as const]) assertHolds(fork, then)
  })

  it("has its entries in an order that depends on its writes only, also when it was made anew in between", () => {
    const dice = diceFrom(8)
    const map = new ForkableMap<number>()
    for (let i = 0; i < 20_000; i++) {
      if (dice(4) === 0) map.delete(`key ${dice(9000)}`)
      else map.set(`key ${dice(9000)}`, i)
    }
    const anew = new ForkableMap<number>()
    for (const [key, value] of contentsOf(map)) anew.set(key, value)
    for (const each of [map, anew]) {
      for (let i = 0; i < 9000; i += 2) each.delete(`key ${i}`)
      for (let i = 0; i < 3000; i++) each.set(`key ${i}`, -i)
    }
    assert.deepStrictEqual(contentsOf(anew), contentsOf(map))
  })

  it("deletes what is not there without copying what is shared", () => {
    const map = new ForkableMap<number>()
    for (let i = 0; i < 10_000; i++) map.set(`key ${i}`, i)
    const fork = map.fork()
    for (let i = 10_000; i < 20_000; i++) map.delete(`key ${i}`)
    assert.isTrue(map.buckets.every((bucket, at) => bucket === fork.buckets[at]))
  })
})

describe("a bucket", () => {
  // Also of keys that have all the same hash, and of more than are passed over one by one.
  for (const hashes of [1, 2, 1000]) {
    it(`of a great many keys with ${hashes} different hashes holds what a map holds`, () => {
      const dice = diceFrom(hashes)
      let bucket = Bucket.empty<number>({})
      const model = new Map<string, number>()
      const copies: Array<readonly [Bucket<number>, ReadonlyMap<string, number>]> = []
      for (let i = 1; i <= 24_000; i++) {
        const number = dice(4000)
        const [hash, key] = [number % hashes, `key ${number}`]
        // It grows, and then shrinks to almost nothing.
        if (dice(8) < (i < 12_000 ? 1 : 7)) {
          assert.strictEqual(bucket.delete(hash, key), model.get(key))
          model.delete(key)
        } else {
          assert.strictEqual(bucket.set(hash, key, i), model.get(key))
          model.set(key, i)
        }
        if (i % 4000 === 0) {
          copies.push([bucket, new Map(model)])
          bucket = bucket.copyFor({})
        }
      }
      assert.isAbove(Math.max(...copies.map(([{ values }]) => values.length)), 2000)
      for (const [copy, then] of [...copies, [bucket, model] as const]) {
        assert.deepStrictEqual(sorted(entriesOf(copy)), sorted(then))
        for (let number = 0; number < 4000; number++)
          assert.strictEqual(copy.get(number % hashes, `key ${number}`), then.get(`key ${number}`))
      }
    })
  }
})
