/**
 * The name of a client's session: where in the log it was opened. No other session of the group ever has
 * the same, not even after an operator has forced a lost log to be written anew, for that takes a new term.
 */
import * as Schema from "effect/Schema"
import { LogIndex } from "./LogIndex.ts"
import { Term } from "./Term.ts"

export const SessionId = Schema.Struct({
  /** Index of the entry that opened it. */
  index: LogIndex,
  /** Term of that entry. */
  term: Term
})
export type SessionId = typeof SessionId.Type

/** What a session may take and how long it lives, fixed by the entry that opens it: the same on every node. */
export const SessionLimits = Schema.Struct({
  /** A session that has been idle for so long, by the time in the log, has expired. */
  timeoutMillis: Schema.Natural,
  /** Answers that are kept until the client acknowledges them: commands that it may have under way. */
  maxReplies: Schema.Natural,
  /** Bytes of kept answers. At or past it further commands answer `Overloaded`. */
  maxReplyBytes: Schema.Natural
})
export type SessionLimits = typeof SessionLimits.Type

/** For a person. */
export const show = ({ index, term }: SessionId): string => `${index} of term ${term}`
