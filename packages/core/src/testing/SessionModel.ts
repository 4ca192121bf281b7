/**
 * What sessions promise, said as simply as can be, to hold the real table against it: every command ever
 * applied is remembered, every session is looked at for every entry, and nothing is ever encoded.
 */
import type { LogEntry } from "../LogEntry.ts"
import type { LogIndex } from "../LogIndex.ts"
import type { SessionId, SessionLimits } from "../SessionId.ts"
import type { SessionAnswer } from "../sessions/SessionAnswer.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"

/** What must come of an entry. The bytes of an answer are the machine's business. */
export type Expected =
  | Exclude<SessionAnswer, { readonly _tag: "Applied" }>
  | { readonly _tag: "Applied"; readonly index: LogIndex; readonly isRepeated: boolean }

interface Session {
  readonly id: SessionId
  readonly limits: SessionLimits
  heardMillis: number
  acknowledgedBelow: number
  /** Where each command was applied, by its number. */
  readonly applied: Map<number, LogIndex>
}

export class SessionModel {
  private sessions: ReadonlyArray<Session> = []
  private termBeganMillis = 0
  /** How many bytes the machine answered at an index. */
  private readonly replyBytes = new Map<LogIndex, number>()

  /** Sessions that are neither closed nor expired. */
  get size(): number {
    return this.sessions.length
  }

  /** Takes the next entry; gives what must come of it, where it is a session's. */
  apply(entry: LogEntry): Expected | undefined {
    const { kind, timestampMillis } = entry
    if (kind === "NoOp") this.termBeganMillis = timestampMillis
    else this.sessions = this.sessions.filter((session) => !this.isOverdue(session, timestampMillis))
    return kind === "Session" ? this.applyRecord(SessionRecord.decode(entry.payload), entry) : undefined
  }

  /** The machine's answer at `index` took so many bytes. */
  answered(index: LogIndex, bytes: number): void {
    this.replyBytes.set(index, bytes)
  }

  private isOverdue({ heardMillis, limits }: Session, nowMillis: number): boolean {
    return (
      nowMillis >= heardMillis + limits.timeoutMillis &&
      nowMillis >= this.termBeganMillis + limits.timeoutMillis
    )
  }

  private applyRecord(record: SessionRecord.SessionRecord, entry: LogEntry): Expected {
    if (record._tag === "Open") return this.open(record, entry)
    const session = this.sessions.find(
      ({ id }) => id.index === record.session.index && id.term === record.session.term
    )
    if (session === undefined) return { _tag: "Expired" }
    session.heardMillis = entry.timestampMillis
    if (record._tag === "Close") {
      this.sessions = this.sessions.filter((other) => other !== session)
      return { _tag: "Done" }
    }
    session.acknowledgedBelow = Math.max(session.acknowledgedBelow, record.acknowledgedBelow)
    return record._tag === "KeepAlive"
      ? { _tag: "Done" }
      : this.command(session, record.sequence, entry.index)
  }

  private open({ limits, maxSessions }: SessionRecord.Open, entry: LogEntry): Expected {
    if (this.sessions.length >= maxSessions) return { _tag: "Full", bound: "maxSessions", limit: maxSessions }
    const id = { index: entry.index, term: entry.term }
    const opened = {
      id,
      limits,
      heardMillis: entry.timestampMillis,
      acknowledgedBelow: 0,
      applied: new Map<number, LogIndex>()
    }
    this.sessions = [...this.sessions, opened]
    return { _tag: "Opened", session: id, limits }
  }

  private command(session: Session, sequence: number, index: LogIndex): Expected {
    const { acknowledgedBelow, applied, limits } = session
    if (sequence < acknowledgedBelow) return { _tag: "Acknowledged", acknowledgedBelow }
    const before = applied.get(sequence)
    if (before !== undefined) return { _tag: "Applied", index: before, isRepeated: true }
    const kept = [...applied].filter(([number]) => number >= acknowledgedBelow)
    if (kept.length >= limits.maxReplies)
      return { _tag: "Full", bound: "maxSessionReplies", limit: limits.maxReplies }
    const keptBytes = kept.reduce((sum, [, at]) => sum + (this.replyBytes.get(at) ?? 0), 0)
    if (keptBytes >= limits.maxReplyBytes)
      return { _tag: "Full", bound: "maxSessionReplyBytes", limit: limits.maxReplyBytes }
    applied.set(sequence, index)
    return { _tag: "Applied", index, isRepeated: false }
  }
}

/** What the table answered, as far as the model speaks of it. */
export const toExpected = (answer: SessionAnswer): Expected =>
  answer._tag === "Applied" ? { _tag: "Applied", index: answer.index, isRepeated: answer.isRepeated } : answer
