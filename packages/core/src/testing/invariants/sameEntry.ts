/**
 * Whether two entries are the same: place, kind, time and payload.
 */
import type { LogEntry } from "../../LogEntry.ts"

export const sameEntry = (a: LogEntry, b: LogEntry): boolean =>
  a.index === b.index &&
  a.term === b.term &&
  a.kind === b.kind &&
  a.timestampMillis === b.timestampMillis &&
  a.payload.byteLength === b.payload.byteLength &&
  a.payload.every((byte, at) => byte === b.payload[at])
