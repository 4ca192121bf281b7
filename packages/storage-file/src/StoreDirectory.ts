/**
 * What the names in a directory say, before any file is read: whether it is a store's, and whether its log is lost.
 */
import { join } from "node:path"
import { DamagedStore, NotAStore } from "@effect-raft/core/RaftStorage"
import { ownerFileName } from "./LogFileSystem.ts"
import * as SegmentHeader from "./SegmentHeader.ts"
import * as SnapshotFormat from "./SnapshotFormat.ts"

type Names = ReadonlyArray<string>

/** Stands in a directory as long as it is being made from a backup. */
export const restoringFileName = "store.restoring"

const shownNames = 3

/** Names files of somebody else, where there is no log of ours beside them. */
export const strangersIn = (path: string, names: Names): NotAStore | undefined => {
  const strangers = names.filter((name) => !isExpected(name))
  if (strangers.length === 0 || SegmentHeader.numbersOf(names).length > 0) return undefined
  return new NotAStore({ location: path, found: shorten(strangers) })
}

/** A few names in words. */
export const shorten = (names: Names): string => {
  const shown = names.slice(0, shownNames).join(", ")
  const rest = names.length - shownNames
  return rest > 0 ? `${shown} and ${rest} more` : shown
}

/** What is there was to become a store, and is none yet. */
export const unfinishedRestoreIn = (path: string, names: Names): NotAStore | undefined =>
  names.includes(restoringFileName)
    ? new NotAStore({ location: path, found: "a restore that was not finished" })
    : undefined

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

/** Hidden files, and what a new file system has at its root. */
export const isOfFileSystem = (name: string): boolean => name.startsWith(".") || name === "lost+found"

const isExpected = (name: string): boolean =>
  isOfFileSystem(name) || name.startsWith("store.") || SegmentHeader.isUnfinished(name) || isOfSnapshot(name)
