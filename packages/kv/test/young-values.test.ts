import { assert, describe, it } from "@effect/vitest"
import { ForkableMap } from "../src/ForkableMap.ts"
import type { Stored } from "../src/KvSnapshot.ts"
import { YoungValues } from "../src/YoungValues.ts"

const valueBytes = 1024

const store = () => {
  const map = new ForkableMap<Stored>()
  const young = new YoungValues(map)
  return {
    map,
    put: (key: string, revision: number, bytes = valueBytes): Stored => {
      const value = new Uint8Array(bytes).fill(revision % 251)
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
    const kept = old.value
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
})
