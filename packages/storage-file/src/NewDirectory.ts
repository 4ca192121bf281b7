/**
 * Making a directory that is still there after a crash, with the parents that it needs.
 *
 * By hand, because Node's own recursive form never comes back where a file system takes no directory (/proc).
 */
import * as Fs from "node:fs"
import { dirname } from "node:path"
import * as FileTrouble from "./FileTrouble.ts"

/** Makes the directory with its parents, unless it is there, and syncs each directory that got a new name in it. */
export const make = (directory: string): void => {
  const found = Fs.statSync(directory, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  if (found === undefined) make(dirname(directory))
  try {
    Fs.mkdirSync(directory)
  } catch (cause) {
    // Another node may have made it just now.
    if (Fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) throw inWords(cause)
  }
  sync(dirname(directory))
}

/** The parent is there, so it is not that which does not exist. */
const inWords = (cause: unknown): unknown =>
  FileTrouble.codeOf(cause) === "ENOENT"
    ? new Error("its file system takes no new directory there (ENOENT)", { cause })
    : cause

const sync = (directory: string): void => {
  const descriptor = Fs.openSync(directory, "r")
  try {
    Fs.fsyncSync(descriptor)
  } finally {
    Fs.closeSync(descriptor)
  }
}
