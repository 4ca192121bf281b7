/**
 * A test of the test: the simulator catches every bug that is planted, and nothing where none is. The
 * whole table, with the rule tests and the scripts, is `pnpm planted`.
 */
import { describe, expect, it } from "vitest"
import { bugs } from "./planted/bugs.ts"
import * as Hunters from "./planted/Hunters.ts"
import * as Seeds from "./planted/Seeds.ts"

/** Seeds to try from the hint on, should the code have changed under it. */
const patience = 1_000

describe.concurrent("planted bugs", () => {
  it("code without a bug passes on the same seeds", async () => {
    const seeds = [...new Set(bugs.map(({ name }) => Seeds.hintFor(name)))]
    const clean = await Hunters.mapParallel(seeds, 1, (firstSeed) =>
      Hunters.simulate({ bug: undefined, firstSeed, runs: 1 })
    )
    expect(clean.filter(({ caught }) => caught > 0)).toEqual([])
  })

  it.each(bugs)("$name: is caught", async (bug) => {
    const found = await Hunters.simulate({
      bug,
      firstSeed: Seeds.hintFor(bug.name),
      runs: patience,
      stopsAtFirst: true
    })
    expect(found.caught).toBe(1)
  })
})
