/**
 * The hunt that CI has time for: short plans, from the seed that caught the bug last time. Where the code has
 * changed under a seed the next ones have their chance, so a change costs time and not a red test.
 */
import type { Bug } from "./Bug.ts"
import type { Catch } from "./Hunt.ts"
import type { Hunters } from "./Hunters.ts"
import * as Records from "./Records.ts"

/** Seeds to try until a bug counts as missed. */
export const maxRuns = 1_000

export const hunt = (hunters: Hunters, bug: Bug, firstSeed = Records.seedOf(bug.name)): Promise<Catch> =>
  hunters.hunt(bug, { firstSeed, runs: maxRuns, catches: 1, plans: "Quick" })

/** The plan of a seed that caught a bug, on code without it: nothing may be found. */
export const expectSound = (hunters: Hunters, bug: Bug, seed: number): Promise<Catch> =>
  hunters.tryWithout(bug, { firstSeed: seed, runs: 1, catches: 1, plans: "Quick" })
