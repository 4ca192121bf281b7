/**
 * Whether commands of sessions are applied exactly once, in their client's order, and sessions expire by the
 * time in the log and by nothing else: every answer of every node is held against a naive model that follows
 * the entries alone. A node whose table drifts apart from the others', by a snapshot or by a clock, gives
 * itself away at its first answer.
 */
import * as Bytes from "effect/Bytes"
import type { LogEntry } from "../../LogEntry.ts"
import type { LogIndex } from "../../LogIndex.ts"
import type { NodeId } from "../../NodeId.ts"
import type { RaftTracer } from "../../RaftTrace.ts"
import type { SessionAnswer } from "../../sessions/SessionAnswer.ts"
import * as SessionRecord from "../../sessions/SessionRecord.ts"
import { SessionModel, toExpected } from "../SessionModel.ts"
import type * as Coverage from "./Coverage.ts"

export interface Sessions {
  readonly tracerOf: (nodeId: NodeId) => RaftTracer
  /** An entry as the machine saw it: a session's command as a command where it was applied, else as nothing. */
  readonly unwrap: (entry: LogEntry | undefined) => LogEntry | undefined
}

const nothing = new Uint8Array(0)

export const make = (counters: Coverage.Counters, onWrong: (what: string) => void): Sessions => {
  const model = new SessionModel()
  /** What the first node that applied an entry answered, and what it should have. */
  const known = new Map<LogIndex, { readonly answer: SessionAnswer; readonly expected: string }>()
  /** The machine's answer to a command, by where it was applied. */
  const replies = new Map<LogIndex, Uint8Array>()
  /** The last number that each session had applied, by the index that opened it. */
  const lastApplied = new Map<LogIndex, number>()
  let modelIndex = 0

  const count = (answer: SessionAnswer): void => {
    if (answer._tag === "Opened") counters.sessionsOpened += 1
    if (answer._tag === "Expired") counters.sessionsExpired += 1
    if (answer._tag === "Applied" && answer.isRepeated) counters.repeatsSuppressed += 1
    if (answer._tag === "Acknowledged") counters.lateCopies += 1
  }

  /** A client of the simulation waits for one command at a time. */
  const inOrder = (entry: LogEntry): string | undefined => {
    const record = SessionRecord.decode(entry.payload)
    if (record._tag !== "Command") return undefined
    const last = lastApplied.get(record.session.index) ?? 0
    lastApplied.set(record.session.index, record.sequence)
    return record.sequence > last
      ? undefined
      : `command ${record.sequence} of session ${record.session.index} was applied after command ${last}`
  }

  /** The first node to apply the entry. */
  const first = (entry: LogEntry, answer: SessionAnswer | undefined): void => {
    modelIndex = entry.index
    const expected = model.apply(entry)
    if (answer === undefined) return
    known.set(entry.index, { answer, expected: JSON.stringify(expected) })
    count(answer)
    if (answer._tag !== "Applied" || answer.isRepeated) return
    replies.set(entry.index, answer.reply)
    model.answered(entry.index, answer.reply.byteLength)
    const wrong = inOrder(entry)
    if (wrong !== undefined) onWrong(wrong)
  }

  const judge = (nodeId: NodeId, index: LogIndex, answer: SessionAnswer): string | undefined => {
    const found = JSON.stringify(toExpected(answer))
    const expected = known.get(index)?.expected
    if (found !== expected) return `${nodeId} answers ${found} at index ${index}, and should ${expected}`
    const reply = answer._tag === "Applied" ? replies.get(answer.index) : undefined
    return answer._tag === "Applied" && (reply === undefined || !Bytes.Equivalence(answer.reply, reply))
      ? `${nodeId} gives another answer at index ${index} than was given at index ${answer.index}`
      : undefined
  }

  return {
    tracerOf: (nodeId) => ({
      onApplied: (entry, reply) => {
        const answer = entry.kind === "Session" ? (reply as SessionAnswer) : undefined
        if (entry.index === modelIndex + 1) first(entry, answer)
        const wrong = answer === undefined ? undefined : judge(nodeId, entry.index, answer)
        if (wrong !== undefined) onWrong(wrong)
      }
    }),
    unwrap: (entry) => {
      if (entry?.kind !== "Session") return entry
      const answer = known.get(entry.index)?.answer
      const record = SessionRecord.decode(entry.payload)
      const wasApplied = answer?._tag === "Applied" && !answer.isRepeated && record._tag === "Command"
      return wasApplied
        ? { ...entry, kind: "Command", payload: record.command }
        : { ...entry, kind: "NoOp", payload: nothing }
    }
  }
}
