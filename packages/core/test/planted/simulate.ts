/**
 * Looks for what is planted with the simulator, seed after seed, and prints what was found as a line of
 * JSON: `node --import ./plant.ts simulate.ts FIRST_SEED RUNS [first]`. `first` stops at the first catch.
 */
import * as Plan from "../../src/testing/simulation/Plan.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import type { Catch } from "./Hunters.ts"
import { Shelf } from "./Shelf.ts"
import { workload } from "./ShelfWorkload.ts"

const hunt = (options: {
  readonly firstSeed: number
  readonly runs: number
  readonly stopsAtFirst: boolean
}): Catch => {
  const properties: Record<string, number> = {}
  let [runs, caught] = [0, 0]
  let firstSeed: number | null = null
  while (runs < options.runs && !(options.stopsAtFirst && caught > 0)) {
    const seed = options.firstSeed + runs++
    const { failure } = Simulation.run(Shelf, workload, Plan.draw(String(seed)))
    if (failure === undefined) continue
    caught++
    firstSeed ??= seed
    properties[failure.property] = (properties[failure.property] ?? 0) + 1
  }
  return { runs, caught, firstSeed, properties }
}

const [firstSeed, runs, mode] = process.argv.slice(2)
const found = hunt({ firstSeed: Number(firstSeed), runs: Number(runs), stopsAtFirst: mode === "first" })
process.stdout.write(`${JSON.stringify(found)}\n`)
