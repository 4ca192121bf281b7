import { assert, describe, it } from "@effect/vitest"
import * as NumberBytes from "../src/NumberBytes.ts"

describe("NumberBytes", () => {
  it("writes and reads as a little-endian DataView does, at any offset", () => {
    const bytes = new Uint8Array(24).fill(0xee)
    const view = new DataView(bytes.buffer)
    for (const [at, value] of [
      [0, 1],
      [1, 2 ** 53 - 1],
      [7, -0.5],
      [13, Number.POSITIVE_INFINITY],
      [16, Number.MIN_VALUE]
    ] as const) {
      NumberBytes.write(bytes, at, value)
      assert.strictEqual(view.getFloat64(at, true), value)
      assert.strictEqual(NumberBytes.read(bytes, at), value)
    }
  })
})
