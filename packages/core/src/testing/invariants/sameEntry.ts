/**
 * Whether two entries are the same: place, kind, time and payload.
 */
import * as Bytes from "effect/Bytes"
import type { LogEntry } from "../../LogEntry.ts"

export const sameEntry = (a: LogEntry, b: LogEntry): boolean =>
  a.index === b.index &&
  a.term === b.term &&
  a.kind === b.kind &&
  a.timestampMillis === b.timestampMillis &&
  Bytes.Equivalence(a.payload, b.payload)
