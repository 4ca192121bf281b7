/**
 * All bugs that are planted. A list of a new topic joins here, as a chapter, and takes part in everything.
 */
import type { Bug } from "./Bug.ts"
import { membershipBugs } from "./MembershipBugs.ts"
import { nodeBugs } from "./NodeBugs.ts"
import { ruleBugs } from "./RuleBugs.ts"
import { sessionBugs } from "./SessionBugs.ts"
import { snapshotBugs } from "./SnapshotBugs.ts"
import { storageBugs } from "./StorageBugs.ts"
import type { Chapter } from "./Table.ts"

export const chapters: ReadonlyArray<Chapter> = [
  { title: "The rules", bugs: ruleBugs },
  { title: "The node around the rules", bugs: nodeBugs },
  { title: "Snapshots", bugs: snapshotBugs },
  { title: "Sessions", bugs: sessionBugs },
  { title: "Membership, transfers and leases", bugs: membershipBugs },
  { title: "The write-ahead log", bugs: storageBugs }
]

export const bugs: ReadonlyArray<Bug> = chapters.flatMap((chapter) => chapter.bugs)

/** `undefined` for no name; throws where there is no bug of this name. */
export const bugNamed = (name: string | undefined): Bug | undefined => {
  if (name === undefined || name === "") return undefined
  const bug = bugs.find((bug) => bug.name === name)
  if (bug === undefined) throw new Error(`There is no bug "${name}" in bugs.ts`)
  return bug
}
