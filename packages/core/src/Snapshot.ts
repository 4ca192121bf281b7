/**
 * What a snapshot stands for (paper, section 7): the machine's state after an index, which takes the place
 * of the log up to there.
 */
import * as Bytes from "effect/Bytes"
import * as Schema from "effect/Schema"
import { LogIndex } from "./LogIndex.ts"
import { Membership } from "./Membership.ts"
import { Term } from "./Term.ts"

/**
 * Names one taking of one snapshot: two with the same id hold the same bytes, so a transfer that broke off
 * can go on where it stopped. 1 to 100 letters, digits, dots, dashes or underscores.
 */
export const SnapshotId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,100}$/))

export const SnapshotMeta = Schema.Struct({
  id: SnapshotId,
  /** The last entry that the snapshot covers (the paper's lastIncludedIndex). */
  lastIndex: LogIndex,
  /** Its term (lastIncludedTerm). */
  lastTerm: Term,
  /** The leader's clock in it, in milliseconds since the epoch: time in the log goes on from there. */
  lastTimestampMillis: Schema.Finite,
  /** The membership in force there. */
  membership: Membership,
  /**
   * How many bytes at its beginning are the clients' sessions (see `sessions/SessionSection`); the machine's
   * own follow. Absent where there are none, as in all snapshots of programs without sessions.
   */
  sessionBytes: Schema.optionalKey(Schema.Natural),
  /** The machine's version in force there (see `MachineVersion`). Absent for version 0. */
  machineVersion: Schema.optionalKey(Schema.Natural)
})
export type SnapshotMeta = typeof SnapshotMeta.Type

/** A machine's state at one moment. What comes later does not change it, however late it is read. */
export interface MachineSnapshot {
  readonly meta: SnapshotMeta
  /** The bytes of the state. Made as they are asked for. */
  readonly pieces: Iterable<Uint8Array>
}

const codec = Schema.fromJsonString(Schema.toCodecJson(SnapshotMeta))
const encodeJson = Schema.encodeSync(codec)
const decodeJson = Schema.decodeSync(codec)

/** Every piece of a snapshot on its way to a follower says whose it is. */
const payloads = new WeakMap<SnapshotMeta, Uint8Array>()
let lastRead: { readonly payload: Uint8Array; readonly meta: SnapshotMeta } | undefined

/** What a snapshot stands for as JSON in UTF-8, for messages and files. */
export const toPayload = (meta: SnapshotMeta): Uint8Array => {
  const known = payloads.get(meta)
  if (known !== undefined) return known
  const payload = new TextEncoder().encode(encodeJson(meta))
  payloads.set(meta, payload)
  return payload
}

/** Reads {@link toPayload}; throws a `SchemaError` where the bytes are none. */
export const fromPayload = (payload: Uint8Array): SnapshotMeta => {
  if (lastRead !== undefined && Bytes.Equivalence(lastRead.payload, payload)) return lastRead.meta
  const meta = decodeJson(new TextDecoder().decode(payload))
  lastRead = { payload: payload.slice(), meta }
  return meta
}
