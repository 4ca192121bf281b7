/**
 * Records laid out in sectors: whatever the portions, what stands in the file is one layout, and a large batch takes
 * no more memory than a small one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as StampedSectors from "@effect-raft/storage-file/StampedSectors"

const { endOf, gather, offsetOf, sectorBytes, sectorOf } = StampedSectors

const stamp = 0x12345678
const portionBytes = 512 * 1024

/** Some bytes, each of which is told from its neighbours. */
const record = (bytes: number) => Uint8Array.from({ length: bytes }, (_, at) => (at * 31) % 251)

/** What stands in a file behind its header after this was laid out in it, and the portions in which it came. */
const layOut = (spread: StampedSectors.Spread, parts: ReadonlyArray<Uint8Array>, position: number) => {
  const sizes: Array<number> = []
  const buffers = new Set<ArrayBufferLike>()
  const start = offsetOf(position)
  const end = position + parts.reduce((total, part) => total + part.byteLength, 0)
  const file = new Uint8Array((sectorOf(end - 1) + 1) * sectorBytes)
  let offset = start
  for (const portion of spread(parts, position, stamp)) {
    file.set(portion, offset)
    offset += portion.byteLength
    sizes.push(portion.byteLength)
    buffers.add(portion.buffer)
    // Nobody may count on it any more.
    portion.fill(0xee)
  }
  assert.strictEqual(offset, file.byteLength)
  return { buffers, end, file, sizes }
}

describe("StampedSectors", () => {
  it("lays out the same in one portion and in many", () => {
    const spread = StampedSectors.makeSpread()
    for (const bytes of [1, 507, 508, 509, 70_000, 520_000, 524_288, 530_000, 1_100_003, 3_000_000]) {
      for (const position of [sectorBytes, sectorBytes + 1, endOf(3) - 1, endOf(3), endOf(3) + 200]) {
        const whole = record(bytes)
        const parts = [
          whole.subarray(0, bytes >> 1),
          whole.subarray(bytes >> 1, bytes - 1),
          whole.subarray(bytes - 1)
        ]
        const { end, file, sizes } = layOut(spread, parts, position)
        const name = `${bytes} bytes at ${position}, in portions of ${sizes.join(", ")}`
        assert.isTrue(
          sizes.every((size) => size <= portionBytes),
          name
        )
        // All but the first begin with a sector, and none takes zeros along that has others beside it.
        assert.isTrue(
          sizes.length === 1 || sizes.every((size) => size > portionBytes / 2 - sectorBytes),
          name
        )
        const { records, stamps } = gather(file)
        assert.deepStrictEqual(records.subarray(position, end), whole, name)
        assert.isTrue(
          stamps.subarray(sectorOf(position)).every((found) => found === stamp),
          name
        )
      }
    }
  })

  it("lays out all batches in the same memory", () => {
    const spread = StampedSectors.makeSpread()
    const used = new Set<ArrayBufferLike>()
    for (let round = 0; round < 5; round++) {
      for (const buffer of layOut(spread, [record(2_000_000 + round * 100_000)], sectorBytes).buffers)
        used.add(buffer)
    }
    assert.strictEqual(used.size, 1)
  })
})
