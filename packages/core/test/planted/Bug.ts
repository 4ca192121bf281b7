/**
 * A bug that is planted on purpose, to see who notices: a change of one place in one source file.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Bug {
  /** What the broken code does. */
  readonly name: string
  /** What it breaks, and where that is written: sections of the Raft paper, of the thesis, or of docs/. */
  readonly claim: string
  /** The source file, below packages/core/src. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** The address of the file that a bug is in. */
export const addressOf = ({ file }: Bug): string => new URL(`../../src/${file}`, import.meta.url).href

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
