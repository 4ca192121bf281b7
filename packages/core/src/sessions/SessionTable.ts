/**
 * The clients' sessions, replicated beside the machine (thesis, section 6.3): which commands were applied
 * already, and what was answered, so that a command that is in the log twice is applied once.
 *
 * The table is a function of the log and of nothing else. Limits come with the entry that opens a session,
 * not from a node's settings; time is what leaders wrote into entries, not a node's clock. So it is the
 * same on every node, and part of every snapshot.
 *
 * A session expires at the first entry whose time is its timeout after the client was last heard. While there
 * is no leader no client can be heard, so the first entry of a leader's term lets nobody expire, and idleness
 * is counted from there at the earliest.
 *
 * It is bounded: `maxSessions` sessions, of each `maxReplies` answers that its client has not acknowledged,
 * and `maxReplyBytes` of them and one answer more. An opening past the bound is refused, rather than that
 * somebody else's session goes for it.
 */
import type { LogIndex } from "../LogIndex.ts"
import type { SessionId, SessionLimits } from "../SessionId.ts"
import type { Term } from "../Term.ts"
import type { SessionAnswer } from "./SessionAnswer.ts"
import type * as SessionRecord from "./SessionRecord.ts"
import * as SessionSection from "./SessionSection.ts"

/** Where an entry stands. */
export interface Place {
  readonly index: LogIndex
  readonly term: Term
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
  /** The time of the last entry. */
  private nowMillis = 0
  /** The time of the first entry of the present leader's term. */
  private termBeganMillis = 0
  private nextSweepMillis = Number.POSITIVE_INFINITY

  get size(): number {
    return this.sessions.size
  }

  /** An entry that begins a leader's term. */
  beginTerm(timestampMillis: number): void {
    // Who had expired before it stays so.
    this.sweep()
    this.nowMillis = timestampMillis
    this.termBeganMillis = timestampMillis
  }

  /** The time in the log has come to here. To be called for every other entry, before it is applied. */
  passTime(timestampMillis: number): void {
    this.nowMillis = timestampMillis
    if (timestampMillis >= this.nextSweepMillis) this.sweep()
  }

  apply(record: SessionRecord.SessionRecord, at: Place, run: Run): SessionAnswer {
    if (record._tag === "Open") return this.open(record, at)
    const session = this.live(record.session)
    if (session === undefined) return { _tag: "Expired" }
    session.lastActiveMillis = this.nowMillis
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

  private open({ limits, maxSessions }: SessionRecord.Open, at: Place): SessionAnswer {
    if (this.sessions.size >= maxSessions) this.sweep()
    if (this.sessions.size >= maxSessions) return { _tag: "Full", bound: "maxSessions", limit: maxSessions }
    if (this.sessions.size === 0) {
      this.nextSweepMillis = this.nowMillis + sweepEveryMillis
      // Before the first session there was nobody to wait for; a node that starts here knows no more.
      this.termBeganMillis = 0
    }
    const id = { index: at.index, term: at.term }
    this.sessions.set(at.index, {
      id,
      limits,
      lastActiveMillis: this.nowMillis,
      acknowledgedBelow: 0,
      replies: new Map(),
      replyBytes: 0
    })
    return { _tag: "Opened", session: id, limits }
  }

  /** The session, unless it has expired. */
  private live(id: SessionId): OpenSession | undefined {
    const session = this.sessions.get(id.index)
    if (session === undefined || session.id.term !== id.term) return undefined
    if (!this.isOverdue(session)) return session
    this.remove(session)
    return undefined
  }

  private isOverdue(session: OpenSession): boolean {
    const idleSinceMillis = Math.max(session.lastActiveMillis, this.termBeganMillis)
    return this.nowMillis - idleSinceMillis >= session.limits.timeoutMillis
  }

  private sweep(): void {
    this.nextSweepMillis =
      this.sessions.size === 0 ? Number.POSITIVE_INFINITY : this.nowMillis + sweepEveryMillis
    for (const session of this.sessions.values()) {
      if (this.isOverdue(session)) this.remove(session)
    }
  }

  private remove(session: OpenSession): void {
    this.sessions.delete(session.id.index)
    if (this.sessions.size === 0) this.nextSweepMillis = Number.POSITIVE_INFINITY
  }

  /** The table in bytes, for a snapshot of this moment; `undefined` when nobody has a session. */
  toSection(): Uint8Array | undefined {
    if (this.sessions.size === 0) return undefined
    const { nextSweepMillis, nowMillis, termBeganMillis } = this
    const sessions = [...this.sessions.values()]
    return SessionSection.encode({ sessions, nowMillis, termBeganMillis, nextSweepMillis })
  }

  /** Replaces the table by what {@link toSection} gave. Throws where the bytes are none. */
  restore(section: Uint8Array | undefined): void {
    const contents = section === undefined ? SessionSection.empty : SessionSection.decode(section)
    this.sessions = new Map(contents.sessions.map((session) => [session.id.index, session]))
    this.nowMillis = contents.nowMillis
    this.nextSweepMillis = contents.nextSweepMillis
    this.termBeganMillis = contents.termBeganMillis
  }
}

/** "If the serial number has already been executed, the server responds without executing it again." */
const answerCommand = (
  session: OpenSession,
  record: SessionRecord.Command,
  at: Place,
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
