/**
 * Sessions without a cluster: one copy of a machine and of the table of sessions in memory, for tests of what
 * uses them. A test says what time it is in the log, and may lose questions and answers.
 */
import * as Effect from "effect/Effect"
import type { LogEntry } from "../LogEntry.ts"
import type { LogIndex } from "../LogIndex.ts"
import { because } from "../RaftError.ts"
import type { RaftError } from "../RaftError.ts"
import type { SessionLimits } from "../SessionId.ts"
import type { SessionAnswer } from "../sessions/SessionAnswer.ts"
import type { SessionOperations } from "../sessions/SessionOperations.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import * as SessionRefusal from "../sessions/SessionRefusal.ts"
import * as Replica from "../internal/Replica.ts"
import type { StateMachine } from "../StateMachine.ts"
import { Term } from "../Term.ts"

export interface LocalSessions<Command, Reply, View> {
  readonly operations: SessionOperations<Command, Reply>
  readonly view: () => View
  /** Every record that was asked for, in order. */
  readonly records: ReadonlyArray<SessionRecord.SessionRecord>
}

export interface Options {
  readonly limits: SessionLimits
  readonly maxSessions?: number
  /** The time in the log. Default 0, always. */
  readonly nowMillis?: () => number
  /** What a call fails with before it is applied; it is applied when that is `undefined`. */
  readonly failBefore?: (record: SessionRecord.SessionRecord) => RaftError | undefined
  /** What a call fails with after it was applied. */
  readonly failAfter?: (record: SessionRecord.SessionRecord) => RaftError | undefined
}

export const make = <Command, Reply, View>(
  machine: StateMachine<Command, Reply, View>,
  options: Options
): LocalSessions<Command, Reply, View> => {
  const replica = Replica.make(machine)
  const records: Array<SessionRecord.SessionRecord> = []
  const nowMillis = options.nowMillis ?? (() => 0)

  const apply = (record: SessionRecord.SessionRecord): SessionAnswer => {
    records.push(record)
    const entry: LogEntry = {
      index: records.length as LogIndex,
      term: Term.make(1),
      kind: "Session",
      timestampMillis: nowMillis(),
      payload: SessionRecord.encode(record)
    }
    return replica.apply(entry) as SessionAnswer
  }

  const ask = <A>(record: SessionRecord.SessionRecord, onAnswer: (answer: SessionAnswer) => A | undefined) =>
    Effect.suspend((): Effect.Effect<A, RaftError> => {
      const before = options.failBefore?.(record)
      if (before !== undefined) return Effect.fail(before)
      const answer = apply(record)
      const after = options.failAfter?.(record)
      if (after !== undefined) return Effect.fail(after)
      const value = onAnswer(answer)
      return value === undefined
        ? Effect.fail(because(SessionRefusal.reasonOf(answer, record)))
        : Effect.succeed(value)
    })

  return {
    operations: {
      open: ask(
        { _tag: "Open", limits: options.limits, maxSessions: options.maxSessions ?? 4096 },
        (answer) => (answer._tag === "Opened" ? answer : undefined)
      ),
      propose: ({ command, ...numbers }) =>
        ask({ _tag: "Command", ...numbers, command: machine.command.encode(command) }, (answer) =>
          answer._tag === "Applied"
            ? { index: answer.index, term: answer.term, reply: machine.reply.decode(answer.reply) }
            : undefined
        ),
      keepAlive: (numbers) => Effect.asVoid(ask({ _tag: "KeepAlive", ...numbers }, done)),
      close: (session) => Effect.asVoid(ask({ _tag: "Close", session }, done))
    },
    view: replica.view,
    records
  }
}

const done = (answer: SessionAnswer) => (answer._tag === "Done" ? answer : undefined)
