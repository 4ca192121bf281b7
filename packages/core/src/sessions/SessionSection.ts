/**
 * The sessions' part of a snapshot: it stands in front of the machine's own bytes, and `SnapshotMeta` says
 * how long it is.
 *
 * Numbers are little-endian float64. First the version of this layout; the time of the last entry, of the first
 * one of the leader's term, and of the next sweep; and how many sessions follow. Of each session: index and
 * term, its three limits, when it was last active, what is acknowledged, and how many answers follow. Of each
 * answer: the client's number, index and term, how many bytes, the bytes.
 */
import type { LogIndex } from "../LogIndex.ts"
import type { Term } from "../Term.ts"
import type { KeptReply, OpenSession } from "./SessionTable.ts"

/** All that a table holds. */
export interface Contents {
  readonly sessions: ReadonlyArray<OpenSession>
  readonly nowMillis: number
  readonly termBeganMillis: number
  readonly nextSweepMillis: number
}

export const empty: Contents = {
  sessions: [],
  nowMillis: 0,
  termBeganMillis: 0,
  nextSweepMillis: Number.POSITIVE_INFINITY
}

/** The layout that this program writes, and the newest that it reads. */
export const version = 1

const numberBytes = 8
const headNumbers = 5
const sessionNumbers = 8
const replyNumbers = 4

const sizeOf = ({ sessions }: Contents): number => {
  let numbers = headNumbers + sessions.length * sessionNumbers
  let bytes = 0
  for (const session of sessions) {
    numbers += session.replies.size * replyNumbers
    bytes += session.replyBytes
  }
  return numbers * numberBytes + bytes
}

export const encode = (contents: Contents): Uint8Array => {
  const bytes = new Uint8Array(sizeOf(contents))
  const view = new DataView(bytes.buffer)
  let at = 0
  const write = (...numbers: ReadonlyArray<number>): void => {
    for (const number of numbers) {
      view.setFloat64(at, number, true)
      at += numberBytes
    }
  }
  const { nextSweepMillis, nowMillis, sessions, termBeganMillis } = contents
  write(version, nowMillis, termBeganMillis, nextSweepMillis, sessions.length)
  for (const { acknowledgedBelow, id, lastActiveMillis, limits, replies } of sessions) {
    write(id.index, id.term, limits.timeoutMillis, limits.maxReplies, limits.maxReplyBytes)
    write(lastActiveMillis, acknowledgedBelow, replies.size)
    for (const [sequence, reply] of replies) {
      write(sequence, reply.index, reply.term, reply.bytes.byteLength)
      bytes.set(reply.bytes, at)
      at += reply.bytes.byteLength
    }
  }
  return bytes
}

/** Reads {@link encode}, copying what it keeps. Throws where the bytes are none, or of a newer program. */
export const decode = (bytes: Uint8Array): Contents => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const read = (): number => {
    const number = view.getFloat64(at, true)
    at += numberBytes
    return number
  }
  const readBytes = (length: number): Uint8Array => {
    if (at + length > bytes.byteLength) throw new RangeError("an answer is cut off")
    at += length
    return bytes.slice(at - length, at)
  }
  const readReply = (): readonly [number, KeptReply] => {
    const sequence = read()
    const [index, term] = [read() as LogIndex, read() as Term]
    return [sequence, { index, term, bytes: readBytes(read()) }]
  }
  const readSession = (): OpenSession => {
    const id = { index: read() as LogIndex, term: read() as Term }
    const limits = { timeoutMillis: read(), maxReplies: read(), maxReplyBytes: read() }
    const [lastActiveMillis, acknowledgedBelow] = [read(), read()]
    const replies = new Map(times(read(), readReply))
    const replyBytes = [...replies.values()].reduce((sum, reply) => sum + reply.bytes.byteLength, 0)
    return { id, limits, lastActiveMillis, acknowledgedBelow, replies, replyBytes }
  }
  const found = read()
  if (found !== version)
    throw new Error(
      `its sessions are of layout ${found}, and this program reads layout ${version}; use a newer one`
    )
  const [nowMillis, termBeganMillis, nextSweepMillis] = [read(), read(), read()]
  return { nowMillis, termBeganMillis, nextSweepMillis, sessions: times(read(), readSession) }
}

/** Reads `count` things; where they are not there the reader throws. */
const times = <A>(count: number, read: () => A): Array<A> => {
  const list: Array<A> = []
  while (list.length < count) list.push(read())
  return list
}
