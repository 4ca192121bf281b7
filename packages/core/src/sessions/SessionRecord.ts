/**
 * What an entry of the kind `Session` says (thesis, section 6.3): open a session, apply a client's command
 * once, keep a session alive, close it.
 *
 * Every number is a little-endian float64, so that a record is as easy to read as it is to write.
 *
 * | first byte | numbers after it | then |
 * | --- | --- | --- |
 * | 0 open | timeout in ms, answers, bytes of answers, sessions of the group at most | |
 * | 1 command | index and term of the session, sequence, acknowledged below | the command |
 * | 2 keep alive | index and term of the session, acknowledged below | |
 * | 3 close | index and term of the session | |
 */
import * as Schema from "effect/Schema"
import type { LogIndex } from "../LogIndex.ts"
import type { SessionId, SessionLimits } from "../SessionId.ts"
import type { Term } from "../Term.ts"

/** Opens a session, unless there are `maxSessions` already. */
export interface Open {
  readonly _tag: "Open"
  readonly limits: SessionLimits
  readonly maxSessions: number
}

/** A command that is applied at most once, however often this record stands in the log. */
export interface Command {
  readonly _tag: "Command"
  readonly session: SessionId
  /** The client's number for the command; a retry has the same. */
  readonly sequence: number
  /** The client no longer waits for any command with a smaller number. */
  readonly acknowledgedBelow: number
  /** The encoded command. */
  readonly command: Uint8Array
}

/** An idle client says that it is there. */
export interface KeepAlive {
  readonly _tag: "KeepAlive"
  readonly session: SessionId
  readonly acknowledgedBelow: number
}

export interface Close {
  readonly _tag: "Close"
  readonly session: SessionId
}

export type SessionRecord = Open | Command | KeepAlive | Close

/** A record that this program cannot read: damaged, or written by a newer program. */
export class MalformedRecord extends Schema.TaggedError<MalformedRecord>()("MalformedRecord", {
  detail: Schema.String
}) {
  override get message() {
    return `A session's entry cannot be read: ${this.detail}`
  }
}

const codes = { Open: 0, Command: 1, KeepAlive: 2, Close: 3 } as const
const tags: ReadonlyArray<SessionRecord["_tag"]> = ["Open", "Command", "KeepAlive", "Close"]
/** How many numbers stand in a record of each code. */
const counts: ReadonlyArray<number> = [4, 4, 3, 2]

const numbersOf = (record: SessionRecord): ReadonlyArray<number> => {
  switch (record._tag) {
    case "Open": {
      const { maxReplies, maxReplyBytes, timeoutMillis } = record.limits
      return [timeoutMillis, maxReplies, maxReplyBytes, record.maxSessions]
    }
    case "Command": {
      const { acknowledgedBelow, sequence, session } = record
      return [session.index, session.term, sequence, acknowledgedBelow]
    }
    case "KeepAlive":
      return [record.session.index, record.session.term, record.acknowledgedBelow]
    case "Close":
      return [record.session.index, record.session.term]
  }
}

/** The payload of an entry. */
export const encode = (record: SessionRecord): Uint8Array => {
  const numbers = numbersOf(record)
  const headBytes = 1 + numbers.length * 8
  const bytes = new Uint8Array(headBytes + (record._tag === "Command" ? record.command.byteLength : 0))
  const view = new DataView(bytes.buffer)
  bytes[0] = codes[record._tag]
  numbers.forEach((number, i) => view.setFloat64(1 + i * 8, number, true))
  if (record._tag === "Command") bytes.set(record.command, headBytes)
  return bytes
}

/** Bytes that a record puts before the command that it carries. */
const commandHeadBytes = 1 + counts[codes.Command]! * 8

/** What is wrong with a payload, or `undefined`. */
export const problemOf = (payload: Uint8Array): string | undefined => {
  const count = payload.byteLength === 0 ? undefined : counts[payload[0]!]
  if (count === undefined) return `it is of the unknown kind ${payload[0] ?? "(empty)"}`
  const headBytes = 1 + count * 8
  const isCommand = payload[0] === codes.Command
  if (payload.byteLength < headBytes || (!isCommand && payload.byteLength > headBytes))
    return `it has ${payload.byteLength} bytes where ${headBytes} are expected`
  const view = viewOf(payload)
  for (let i = 0; i < count; i++) {
    const number = view.getFloat64(1 + i * 8, true)
    if (!Number.isSafeInteger(number) || number < 0) return `${number} is no natural number`
  }
  return undefined
}

/** Reads a payload; the command is a view of it. Throws {@link MalformedRecord}. */
export const decode = (payload: Uint8Array): SessionRecord => {
  const detail = problemOf(payload)
  if (detail !== undefined) throw new MalformedRecord({ detail })
  const view = viewOf(payload)
  const number = (i: number): number => view.getFloat64(1 + i * 8, true)
  const _tag = tags[payload[0]!]!
  if (_tag === "Open") {
    const limits = { timeoutMillis: number(0), maxReplies: number(1), maxReplyBytes: number(2) }
    return { _tag, limits, maxSessions: number(3) }
  }
  const session: SessionId = { index: number(0) as LogIndex, term: number(1) as Term }
  switch (_tag) {
    case "Command":
      return {
        _tag,
        session,
        sequence: number(2),
        acknowledgedBelow: number(3),
        command: payload.subarray(commandHeadBytes)
      }
    case "KeepAlive":
      return { _tag, session, acknowledgedBelow: number(2) }
    case "Close":
      return { _tag, session }
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
