/**
 * A test of the test: the simulator catches every bug that is planted, and nothing where none is. The whole
 * table, with the rule tests and the scripts, is `pnpm planted --seek`.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Bug from "./planted/Bug.ts"
import { bugs } from "./planted/bugs.ts"
import * as Hunters from "./planted/Hunters.ts"
import * as QuickHunt from "./planted/QuickHunt.ts"

/** All wait for the same few processes, so the last one waits for all others. */
const timeout = 600_000

describe("a bug that cannot be planted", () => {
  const [bug] = bugs

  it("says so when its place is no longer there", () => {
    expect(() => Bug.plant({ ...bug!, find: "this stands nowhere" })).toThrow("stands 0 times in")
  })

  it("says so when its place is there twice", () => {
    expect(() => Bug.plant({ ...bug!, find: "import" })).toThrow(/stands \d+ times in .*, not once/)
  })

  it("is none of those that are listed", () => {
    for (const listed of bugs) expect(Bug.plant(listed)).toContain(listed.replace)
  })
})

describe.concurrent("planted bugs", () => {
  let hunters: Hunters.Hunters
  beforeAll(() => {
    hunters = Hunters.make()
  })
  afterAll(() => hunters.close())

  it.each(bugs.filter(({ unseen }) => unseen === undefined))("$name: is caught", { timeout }, async (bug) => {
    const found = await QuickHunt.hunt(hunters, bug)
    expect(found.caught, `missed in ${found.runs} runs`).toBe(1)
    const sound = await QuickHunt.expectSound(hunters, bug, found.firstSeed!)
    expect(sound.properties).toEqual({})
  })
})
