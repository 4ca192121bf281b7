/**
 * The clients' sessions, replicated beside the machine (thesis, section 6.3): which commands were applied
 * already, and what was answered, so that a command that is in the log twice is applied once.
 *
 * The table is a function of the log and of nothing else. Limits come with the entry that opens a session,
 * not from a node's settings; time is what leaders wrote into entries, not a node's clock. So it is the
 * same on every node, and part of every snapshot.
 *
 * It is bounded: `maxSessions` sessions, of each `maxReplies` answers that its client has not acknowledged,
 * and `maxReplyBytes` of them and one answer more. A session that was idle for its timeout has expired. An
 * opening past the bound is refused, rather than that somebody else's session goes for it.
 */
import type { LogIndex } from "../LogIndex.ts"
import type { SessionId, SessionLimits } from "../SessionId.ts"
import type { Term } from "../Term.ts"
import type { SessionAnswer } from "./SessionAnswer.ts"
import type * as SessionRecord from "./SessionRecord.ts"
import * as SessionSection from "./SessionSection.ts"

/** Where an entry stands, and the leader's clock in it. */
export interface Moment {
  readonly index: LogIndex
  readonly term: Term
  readonly timestampMillis: number
}

/** An answer that the client may still ask for. */
export interface KeptReply {
  readonly index: LogIndex
  readonly term: Term
  readonly bytes: Uint8Array
}

export interface OpenSession {
  readonly id: SessionId
  readonly limits: SessionLimits
  /** The time in the log when the client was last heard. */
  lastActiveMillis: number
  /** The client waits for no command with a smaller number. */
  acknowledgedBelow: number
  /** By the client's number for the command. */
  readonly replies: Map<number, KeptReply>
  /** The sum over `replies`. */
  replyBytes: number
}

/** Applies an encoded command to the machine and gives the encoded answer. */
export type Run = (command: Uint8Array) => Uint8Array

/** How often, by the time in the log, the table is searched for sessions that nobody will touch again. */
const sweepEveryMillis = 1_000

export class SessionTable {
  private sessions = new Map<LogIndex, OpenSession>()
  /**
   * The time of the newest leader's first entry. While there is no leader no client can be heard, so idleness
   * is counted from here at the earliest.
   */
  private termBeganMillis = 0
  private nextSweepMillis = Number.POSITIVE_INFINITY

  get size(): number {
    return this.sessions.size
  }

  /** A leader's first entry is applied. */
  beginTerm(timestampMillis: number): void {
    this.termBeganMillis = timestampMillis
  }

  /** The time in the log has come to here. To be called for every entry, before it is applied. */
  passTime(timestampMillis: number): void {
    if (timestampMillis >= this.nextSweepMillis) this.sweep(timestampMillis)
  }

  apply(record: SessionRecord.SessionRecord, at: Moment, run: Run): SessionAnswer {
    if (record._tag === "Open") return this.open(record, at)
    const session = this.live(record.session, at.timestampMillis)
    if (session === undefined) return { _tag: "Expired" }
    session.lastActiveMillis = at.timestampMillis
    switch (record._tag) {
      case "Command":
        return answerCommand(session, record, at, run)
      case "KeepAlive":
        acknowledge(session, record.acknowledgedBelow)
        return { _tag: "Done" }
      case "Close":
        this.remove(session)
        return { _tag: "Done" }
    }
  }

  private open({ limits, maxSessions }: SessionRecord.Open, at: Moment): SessionAnswer {
    if (this.sessions.size >= maxSessions) this.sweep(at.timestampMillis)
    if (this.sessions.size >= maxSessions) return { _tag: "Full", bound: "maxSessions", limit: maxSessions }
    if (this.sessions.size === 0) this.nextSweepMillis = at.timestampMillis + sweepEveryMillis
    const id = { index: at.index, term: at.term }
    this.sessions.set(at.index, {
      id,
      limits,
      lastActiveMillis: at.timestampMillis,
      acknowledgedBelow: 0,
      replies: new Map(),
      replyBytes: 0
    })
    return { _tag: "Opened", session: id, limits }
  }

  /** The session, unless it has expired. */
  private live(id: SessionId, nowMillis: number): OpenSession | undefined {
    const session = this.sessions.get(id.index)
    if (session === undefined || session.id.term !== id.term) return undefined
    if (!this.isOverdue(session, nowMillis)) return session
    this.remove(session)
    return undefined
  }

  private isOverdue(session: OpenSession, nowMillis: number): boolean {
    const idleSinceMillis = Math.max(session.lastActiveMillis, this.termBeganMillis)
    return nowMillis - idleSinceMillis >= session.limits.timeoutMillis
  }

  private sweep(nowMillis: number): void {
    this.nextSweepMillis = nowMillis + sweepEveryMillis
    for (const session of this.sessions.values()) {
      if (this.isOverdue(session, nowMillis)) this.remove(session)
    }
  }

  private remove(session: OpenSession): void {
    this.sessions.delete(session.id.index)
    if (this.sessions.size === 0) this.nextSweepMillis = Number.POSITIVE_INFINITY
  }

  /** The table in bytes, for a snapshot of this moment; `undefined` when nobody has a session. */
  toSection(): Uint8Array | undefined {
    if (this.sessions.size === 0) return undefined
    const { nextSweepMillis, termBeganMillis } = this
    return SessionSection.encode({ sessions: [...this.sessions.values()], nextSweepMillis, termBeganMillis })
  }

  /** Replaces the table by what {@link toSection} gave. Throws where the bytes are none. */
  restore(section: Uint8Array | undefined): void {
    const contents = section === undefined ? SessionSection.empty : SessionSection.decode(section)
    this.sessions = new Map(contents.sessions.map((session) => [session.id.index, session]))
    this.nextSweepMillis = contents.nextSweepMillis
    this.termBeganMillis = contents.termBeganMillis
  }
}

/** "If the serial number has already been executed, the server responds without executing it again." */
const answerCommand = (
  session: OpenSession,
  record: SessionRecord.Command,
  at: Moment,
  run: Run
): SessionAnswer => {
  acknowledge(session, record.acknowledgedBelow)
  const { limits, replies } = session
  const { sequence } = record
  const known = replies.get(sequence)
  if (known !== undefined) {
    return { _tag: "Applied", index: known.index, term: known.term, reply: known.bytes, isRepeated: true }
  }
  if (sequence < session.acknowledgedBelow) {
    return { _tag: "Acknowledged", acknowledgedBelow: session.acknowledgedBelow }
  }
  if (replies.size >= limits.maxReplies) {
    return { _tag: "Full", bound: "maxSessionReplies", limit: limits.maxReplies }
  }
  if (session.replyBytes >= limits.maxReplyBytes) {
    return { _tag: "Full", bound: "maxSessionReplyBytes", limit: limits.maxReplyBytes }
  }
  const { index, term } = at
  const bytes = run(record.command)
  replies.set(sequence, { index, term, bytes })
  session.replyBytes += bytes.byteLength
  return { _tag: "Applied", index, term, reply: bytes, isRepeated: false }
}

/** The client waits for nothing below `sequence`: those answers go. What was acknowledged stays so. */
const acknowledge = (session: OpenSession, sequence: number): void => {
  const { replies } = session
  if (sequence <= session.acknowledgedBelow) return
  const from = session.acknowledgedBelow
  session.acknowledgedBelow = sequence
  // Whichever is shorter: the numbers in between, or what is kept.
  const candidates = sequence - from > replies.size ? [...replies.keys()] : numbersBetween(from, sequence)
  for (const candidate of candidates) {
    const reply = replies.get(candidate)
    if (reply === undefined || candidate >= sequence) continue
    replies.delete(candidate)
    session.replyBytes -= reply.bytes.byteLength
  }
}

const numbersBetween = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: to - from }, (_, i) => from + i)
