/** The settings of a node's collector do what they are for: V8 may change what its flags mean. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const program = join(import.meta.dirname, "YoungGeneration.ts")

const largestYoungMib = (...args: ReadonlyArray<string>): number =>
  Number(spawnSync(process.execPath, [program, ...args], { encoding: "utf8" }).stdout)

describe("the young generation", () => {
  it("grows no more when it has the size that is wanted", () => {
    assert.isAbove(largestYoungMib(), 30)
    assert.isAtMost(largestYoungMib("3"), 16)
  }, 30_000)
})
