import { assert, describe, it } from "@effect/vitest"
import { Numbered } from "../src/internal/Numbered.ts"

describe("Numbered", () => {
  it("gives consecutive numbers, and takes each thing once", () => {
    const line = new Numbered<string>(40)
    assert.deepStrictEqual([line.add("a"), line.add("b"), line.add("c")], [40, 41, 42])
    assert.strictEqual(line.take(41), "b")
    assert.strictEqual(line.take(41), undefined)
    assert.strictEqual(line.get(41), undefined)
    assert.deepStrictEqual([line.size, line.oldest(), line.get(42)], [2, "a", "c"])
  })

  it("knows nothing of numbers that were never given, or long ago", () => {
    const line = new Numbered<number>()
    for (let number = 0; number < 5000; number++) line.add(number)
    for (let number = 0; number < 4000; number++) line.take(number)
    assert.deepStrictEqual(
      [line.get(-1), line.get(3), line.get(5000), line.get(0.5)],
      Array(4).fill(undefined)
    )
    assert.deepStrictEqual([line.take(-1), line.take(3), line.take(5000)], Array(3).fill(undefined))
    assert.deepStrictEqual([line.size, line.oldest(), line.get(4999)], [1000, 4000, 4999])
  })

  it("takes numbers with gaps between, and begins anew wherever when it is empty", () => {
    const line = new Numbered<string>()
    line.put(7, "seven")
    line.put(10, "ten")
    assert.deepStrictEqual([line.oldest(), line.get(8), line.get(10)], ["seven", undefined, "ten"])
    assert.deepStrictEqual(
      [line.take(7), line.oldest(), line.take(10), line.oldest()],
      ["seven", "ten", "ten", undefined]
    )
    // Another leader's entries took the place of some: the next proposal stands at a lower index.
    line.put(3, "three")
    assert.deepStrictEqual([line.size, line.take(3), line.get(7)], [1, "three", undefined])
  })

  it("puts a thing where others were taken, while earlier ones stay", () => {
    const line = new Numbered<string>()
    for (const number of [5, 6, 7, 8]) line.put(number, `old ${number}`)
    assert.deepStrictEqual(
      line.takeWhere((_, number) => number > 5),
      ["old 6", "old 7", "old 8"]
    )
    line.put(7, "new 7")
    assert.deepStrictEqual(
      line.takeWhile(() => true),
      ["old 5", "new 7"]
    )
  })

  it("takes from the lowest number on while something holds", () => {
    const line = new Numbered<number>()
    for (const millis of [10, 20, 30, 5]) line.add(millis)
    line.take(1)
    assert.deepStrictEqual(
      line.takeWhile((millis) => millis <= 20),
      [10]
    )
    assert.deepStrictEqual([line.size, line.oldest()], [2, 30])
  })

  it("does what a map does, whatever is taken when", () => {
    let seed = 7
    const dice = (sides: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % sides
    }
    const line = new Numbered<{ readonly made: number }>()
    const model = new Map<number, { readonly made: number }>()
    let last = -1
    for (let step = 0; step < 30_000; step++) {
      // Mostly in order; now and then one stays behind, or goes early.
      if (dice(100) < 52) {
        const item = { made: step }
        last = line.add(item)
        model.set(last, item)
      } else {
        const keys = Array.from(model.keys())
        const number = dice(10) === 0 ? (keys[dice(keys.length + 1)] ?? last + 1) : (keys[0] ?? 0)
        assert.strictEqual(line.take(number), model.get(number))
        model.delete(number)
        if (dice(400) === 0) {
          const some = dice(2) === 0
          const taken = line.takeWhere(({ made }) => some || made % 3 === 0)
          const expected = Array.from(model).filter(([, { made }]) => some || made % 3 === 0)
          assert.deepStrictEqual(
            taken,
            expected.map(([, item]) => item)
          )
          for (const [key] of expected) model.delete(key)
        }
      }
      assert.strictEqual(line.size, model.size)
      assert.strictEqual(line.oldest(), model.values().next().value)
    }
  })
})
