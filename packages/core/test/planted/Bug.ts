/**
 * A bug that is planted on purpose, to see who notices: a change of one place in one source file.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type * as Plan from "../../src/testing/simulation/Plan.ts"

export interface Bug {
  /** What the broken code does. */
  readonly name: string
  /** What it breaks, and where that is written: sections of the Raft paper, of the thesis, or of docs/. */
  readonly claim: string
  /** The package that it is in. The core unless told; the write-ahead log is hunted on itself. */
  readonly package?: "core" | "storage-file"
  /** The source file, below the package's `src`. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  /**
   * Where the bug is rare: turns a drawn plan into one that gives it more chances. Only the quick hunt in CI
   * uses it; the table counts plans as they are drawn.
   */
  readonly aim?: (drawn: Plan.Plan) => Plan.Plan
  /** Why the simulator does not meet what the bug breaks. Then it is for the other tests to catch. */
  readonly unseen?: string
}

/** The address of the file that a bug is in. */
export const addressOf = (bug: Bug): string =>
  new URL(`../../../${bug.package ?? "core"}/src/${bug.file}`, import.meta.url).href

/** The file's text with the bug in it. The code moves on: a bug that no longer fits says so. */
export const plant = (bug: Bug): string => {
  const text = readFileSync(fileURLToPath(addressOf(bug)), "utf8")
  const found = text.split(bug.find).length - 1
  if (found !== 1) {
    throw new Error(
      `The bug "${bug.name}" cannot be planted: what it replaces stands ${found} times in ${bug.file}, not once`
    )
  }
  return text.replace(bug.find, () => bug.replace)
}
