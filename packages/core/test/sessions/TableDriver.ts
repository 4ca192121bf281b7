/**
 * A table of sessions with a machine that only counts, driven entry by entry: `at` says what time it is in the
 * log.
 */
import type { LogEntry } from "../../src/LogEntry.ts"
import * as LogIndex from "../../src/LogIndex.ts"
import type { SessionId, SessionLimits } from "../../src/SessionId.ts"
import type { SessionAnswer } from "../../src/sessions/SessionAnswer.ts"
import * as SessionRecord from "../../src/sessions/SessionRecord.ts"
import { SessionTable } from "../../src/sessions/SessionTable.ts"
import { Term } from "../../src/Term.ts"

export const limits: SessionLimits = { timeoutMillis: 1_000, maxReplies: 3, maxReplyBytes: 100 }

export class TableDriver {
  table = new SessionTable()
  /** How often the machine was asked to apply a command. */
  applied = 0
  private index = 0
  /** Bytes of every answer of the machine. */
  private readonly replyBytes: number

  constructor(replyBytes = 1) {
    this.replyBytes = replyBytes
  }

  /** The entry that comes next. */
  entry(
    at: number,
    record: SessionRecord.SessionRecord | undefined,
    kind: LogEntry["kind"] = "Session"
  ): LogEntry {
    this.index += 1
    return {
      index: LogIndex.plus(LogIndex.zero, this.index),
      term: Term.make(1),
      kind,
      timestampMillis: at,
      payload: record === undefined ? new Uint8Array(0) : SessionRecord.encode(record)
    }
  }

  apply(at: number, record: SessionRecord.SessionRecord): SessionAnswer {
    return this.applyEntry(this.entry(at, record))
  }

  applyEntry(entry: LogEntry): SessionAnswer {
    this.table.passTime(entry.timestampMillis)
    return this.table.apply(SessionRecord.decode(entry.payload), entry, () => {
      this.applied += 1
      return new Uint8Array(this.replyBytes).fill(this.applied)
    })
  }

  /** A plain command is applied. */
  plain(at: number): void {
    this.index += 1
    this.table.passTime(at)
  }

  /** A leader's first entry is applied. */
  newTerm(at: number): void {
    this.index += 1
    this.table.beginTerm(at)
  }

  open(
    at: number,
    options: { readonly maxSessions?: number; readonly limits?: SessionLimits } = {}
  ): SessionAnswer {
    return this.apply(at, {
      _tag: "Open",
      limits: options.limits ?? limits,
      maxSessions: options.maxSessions ?? 10
    })
  }

  /** Opens a session that must not be refused. */
  opened(at: number, options?: Parameters<TableDriver["open"]>[1]): SessionId {
    const answer = this.open(at, options)
    if (answer._tag !== "Opened") throw new Error(`not opened: ${answer._tag}`)
    return answer.session
  }

  command(at: number, session: SessionId, sequence: number, acknowledgedBelow = 0): SessionAnswer {
    return this.apply(at, {
      _tag: "Command",
      session,
      sequence,
      acknowledgedBelow,
      command: new Uint8Array(1)
    })
  }

  keepAlive(at: number, session: SessionId, acknowledgedBelow = 0): SessionAnswer {
    return this.apply(at, { _tag: "KeepAlive", session, acknowledgedBelow })
  }

  /** As a node that starts from a snapshot of this moment. */
  restart(): void {
    const section = this.table.toSection()
    this.table = new SessionTable()
    this.table.restore(section)
  }
}
