/** The settings of a node's collector do what they are for: V8 may change what its flags mean. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const program = join(import.meta.dirname, "YoungGeneration.ts")

const largestYoungMib = (...args: ReadonlyArray<string>): number =>
  Number(spawnSync(process.execPath, [program, ...args], { encoding: "utf8" }).stdout)

describe("the young generation", () => {
  it("grows no more when it has the size that is wanted", () => {
    // Mostly 64, and 8 to 12: between two looks it may double more than once.
    assert.isAtMost(largestYoungMib("3"), largestYoungMib() / 2)
  }, 30_000)
})
