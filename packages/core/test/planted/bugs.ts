/**
 * All bugs that are planted, each by its name.
 */
import type { Bug } from "./Bug.ts"
import { nodeBugs } from "./NodeBugs.ts"
import { ruleBugs } from "./RuleBugs.ts"
import { sessionBugs } from "./SessionBugs.ts"
import { snapshotBugs } from "./SnapshotBugs.ts"

export const bugs: ReadonlyArray<Bug> = [...ruleBugs, ...nodeBugs, ...snapshotBugs, ...sessionBugs]

/** `undefined` for no name; throws where there is no bug of this name. */
export const bugNamed = (name: string | undefined): Bug | undefined => {
  if (name === undefined || name === "") return undefined
  const bug = bugs.find((bug) => bug.name === name)
  if (bug === undefined) throw new Error(`There is no bug "${name}" in bugs.ts`)
  return bug
}
