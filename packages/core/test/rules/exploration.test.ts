/**
 * Thousands of random steps through many small clusters, with all of figure 3 checked after each.
 *
 * `SEED=17 vitest run …/exploration.test.ts` walks one seed again; `SEEDS=20000` walks more of them.
 */
import { describe, expect, it } from "vitest"
import { explore } from "./Exploration.ts"

const oneSeed = process.env["SEED"]
const seeds = Number(process.env["SEEDS"] ?? 500)
const steps = Number(process.env["STEPS"] ?? 2500)

const walk = (seed: number) => {
  try {
    return explore({ seed, steps })
  } catch (cause) {
    throw new Error(`SEED=${seed} STEPS=${steps}: ${String(cause)}`, { cause })
  }
}

describe("random walks keep every property of figure 3, and end in a working cluster", () => {
  if (oneSeed !== undefined) {
    it(`seed ${oneSeed}`, () => void walk(Number(oneSeed)))
  } else {
    it(`seeds 1 to ${seeds}, ${steps} steps each`, () => {
      const outcomes = Array.from({ length: seeds }, (_, position) => walk(position + 1))
      // The walks must get somewhere, or they would prove nothing.
      const eventful = outcomes.filter(({ committed, terms }) => committed >= 10 && terms >= 3)
      expect(eventful.length).toBeGreaterThan(seeds / 2)
      expect(outcomes.filter(({ compactions }) => compactions >= 3).length).toBeGreaterThan(seeds / 4)
      expect(outcomes.filter(({ installs }) => installs >= 1).length).toBeGreaterThan(seeds / 8)
    })
  }
})
