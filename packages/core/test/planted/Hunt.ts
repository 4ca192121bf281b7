/**
 * Looks for what is planted with the simulator, seed after seed. To be imported as a copy with a bug in it:
 * see `PlantedModules`.
 */
import * as SimulatedFiles from "@effect-raft/storage-file/testing/SimulatedFiles"
import * as Plan from "../../src/testing/simulation/Plan.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import type { Bug } from "./Bug.ts"
import { Shelf } from "./Shelf.ts"
import { workload } from "./ShelfWorkload.ts"

export interface Options {
  readonly firstSeed: number
  /** Runs at most. */
  readonly runs: number
  /** Ends after so many runs that caught it. */
  readonly catches: number
  /** Plans as they are drawn; or short ones, aimed where the bug says where to. */
  readonly plans: "Drawn" | "Quick"
}

/** What the simulator found. */
export interface Catch {
  readonly runs: number
  readonly caught: number
  readonly firstSeed: number | null
  /** How often each property was the one that failed, by its name. */
  readonly properties: Readonly<Record<string, number>>
}

const quickMillis = 5_000

const planOf = (bug: Bug | undefined, seed: number, { plans }: Options): Plan.Plan => {
  if (plans === "Drawn") return Plan.draw(String(seed))
  const drawn = Plan.draw(String(seed), { durationMillis: quickMillis })
  return bug?.aim?.(drawn) ?? drawn
}

/** `bug` is the one whose plans are taken, whether or not it is planted in this copy. */
export const hunt = (bug: Bug | undefined, options: Options): Catch => {
  const properties: Record<string, number> = {}
  const disks = bug?.package === "storage-file" ? { disks: SimulatedFiles.make } : {}
  let [runs, caught] = [0, 0]
  let firstSeed: number | null = null
  while (runs < options.runs && caught < options.catches) {
    const seed = options.firstSeed + runs++
    const { failure } = Simulation.run(Shelf, workload, planOf(bug, seed, options), disks)
    // Of a plan whose settings do not fit together no node starts: that finds nothing.
    if (failure === undefined || failure.property === "InvalidOptions") continue
    caught++
    firstSeed ??= seed
    properties[failure.property] = (properties[failure.property] ?? 0) + 1
  }
  return { runs, caught, firstSeed, properties }
}
