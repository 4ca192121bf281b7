/**
 * Whether two entries are the same: place, kind, time and payload.
 */
import type { LogEntry } from "../../LogEntry.ts"
import { sameBytes } from "./sameBytes.ts"

export const sameEntry = (a: LogEntry, b: LogEntry): boolean =>
  a.index === b.index &&
  a.term === b.term &&
  a.kind === b.kind &&
  a.timestampMillis === b.timestampMillis &&
  sameBytes(a.payload, b.payload)
