/**
 * What the table of sessions answers to an entry of the kind `Session`; the same on every node.
 */
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import { LogIndex } from "../LogIndex.ts"
import { SessionId, SessionLimits } from "../SessionId.ts"
import { Term } from "../Term.ts"

/** The bound that stands in the way, by its name in `RaftConfig`. */
export const SessionBound = Schema.Literals(["maxSessions", "maxSessionReplies", "maxSessionReplyBytes"])
export type SessionBound = typeof SessionBound.Type

export const SessionAnswer = Schema.TaggedUnion({
  Opened: { session: SessionId, limits: SessionLimits },
  /** The machine's answer, encoded, and where the command stood when it was applied, now or earlier. */
  Applied: { index: LogIndex, term: Term, reply: Schema.Uint8Array, isRepeated: Schema.Boolean },
  /** Kept alive, or closed. */
  Done: {},
  /** Not applied: the session was closed, has been idle for too long, or never was. */
  Expired: {},
  /** Not applied now: the client has said that it no longer waits for commands below this number. */
  Acknowledged: { acknowledgedBelow: Schema.Natural },
  /** Not applied: no room for its answer, or for another session. */
  Full: { bound: SessionBound, limit: Schema.Natural }
})
export type SessionAnswer = typeof SessionAnswer.Type

const encoder = SchemaBinary.encoder(SessionAnswer)
const decodeBinary = Schema.decodeSync(SchemaBinary.toCodec(SessionAnswer))

/** For a node that has passed the entry on. */
export const encode = (answer: SessionAnswer): Uint8Array => encoder.encode(answer).slice()

/** Reads {@link encode}; throws a `SchemaError` where the bytes are none. */
export const decode = (bytes: Uint8Array): SessionAnswer => decodeBinary(bytes as Uint8Array<ArrayBuffer>)
