/** What the names in a directory say, before any file is read: whether it is a store's, and whether its log is lost. */
import { join } from "node:path"
import { DamagedStore, NotAStore } from "@effect-raft/core/RaftStorage"
import { ownerFileName } from "./LogFileSystem.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SnapshotFormat from "./SnapshotFormat.ts"

type Names = ReadonlyArray<string>

const shownNames = 3

/** Names files of somebody else, where there is no log of ours beside them. */
export const strangersIn = (path: string, names: Names): NotAStore | undefined => {
  const strangers = names.filter((name) => !isExpected(name))
  if (strangers.length === 0 || SegmentHeader.numbersOf(names).length > 0) return undefined
  const shown = strangers.slice(0, shownNames).join(", ")
  const rest = strangers.length - shownNames
  return new NotAStore({ location: path, found: rest > 0 ? `${shown} and ${rest} more` : shown })
}

/** A node whose log is gone must not begin anew under its old name: it could vote twice in one term. */
export const lostLogIn = (path: string, names: Names): DamagedStore | undefined => {
  if (SegmentHeader.numbersOf(names).length > 0) return undefined
  const witness = names.find((name) => name === ownerFileName || isOfSnapshot(name))
  if (witness === undefined) return undefined
  const detail = `the file is missing, but ${witness} says that there was a log`
  return new DamagedStore({ location: join(path, SegmentHeader.nameOf(1)), offset: 0, detail })
}

const isOfSnapshot = (name: string): boolean =>
  SnapshotFormat.isSnapshotName(name) || SnapshotFormat.isPartName(name)

/** Our own files, hidden ones, and what a new file system has at its root. */
const isExpected = (name: string): boolean =>
  name.startsWith("store.") ||
  name.startsWith(".") ||
  name === "lost+found" ||
  SegmentHeader.isUnfinished(name) ||
  isOfSnapshot(name)
