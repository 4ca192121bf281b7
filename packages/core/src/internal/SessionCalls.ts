/**
 * A node's `SessionOperations`: each call is an entry of the kind `Session`, and what the replicated table
 * answers to it.
 */
import * as Effect from "effect/Effect"
import type { RaftConfig } from "../RaftConfig.ts"
import { because } from "../RaftError.ts"
import type { RaftError } from "../RaftError.ts"
import type { RaftNode } from "../RaftNode.ts"
import type { SessionLimits } from "../SessionId.ts"
import * as SessionAnswer from "../sessions/SessionAnswer.ts"
import type { SessionOperations } from "../sessions/SessionOperations.ts"
import * as SessionRecord from "../sessions/SessionRecord.ts"
import * as SessionRefusal from "../sessions/SessionRefusal.ts"
import type { StateMachine } from "../StateMachine.ts"
import * as ProposalCalls from "./ProposalCalls.ts"

type Answer<Tag extends SessionAnswer.SessionAnswer["_tag"]> = Extract<
  SessionAnswer.SessionAnswer,
  { readonly _tag: Tag }
>

export const make = <Command, Reply, View>(
  node: RaftNode<View>,
  machine: StateMachine<Command, Reply, View>,
  config: RaftConfig
): SessionOperations<Command, Reply> => {
  /** Asks the table, and expects the answer that such a record has when all is well. */
  const ask = <Tag extends "Opened" | "Applied" | "Done">(
    record: SessionRecord.SessionRecord,
    expected: Tag
  ): Effect.Effect<Answer<Tag>, RaftError> =>
    ProposalCalls.propose(
      node,
      { kind: "Session", payload: SessionRecord.encode(record) },
      { decodeReply: SessionAnswer.decode, of: (_position, reply) => reply }
    ).pipe(
      Effect.flatMap((answer) =>
        answer._tag === expected
          ? Effect.succeed(answer as Answer<Tag>)
          : Effect.fail(because(SessionRefusal.reasonOf(answer, record)))
      )
    )

  return {
    open: Effect.suspend(() =>
      ask({ _tag: "Open", limits: limitsOf(config), maxSessions: config.maxSessions }, "Opened")
    ).pipe(Effect.map(({ limits, session }) => ({ limits, session }))),
    propose: ({ acknowledgedBelow, command, sequence, session }) =>
      ProposalCalls.encode(machine, config, command).pipe(
        Effect.mapError(because),
        Effect.flatMap((bytes) =>
          ask({ _tag: "Command", session, sequence, acknowledgedBelow, command: bytes }, "Applied")
        ),
        Effect.map(({ index, reply, term }) => ({ index, term, reply: machine.reply.decode(reply) }))
      ),
    keepAlive: ({ acknowledgedBelow, session }) =>
      Effect.suspend(() => ask({ _tag: "KeepAlive", session, acknowledgedBelow }, "Done")).pipe(
        Effect.asVoid
      ),
    close: (session) => Effect.suspend(() => ask({ _tag: "Close", session }, "Done")).pipe(Effect.asVoid)
  }
}

/** The limits of a session that is opened here: from then on they stand in the log. */
const limitsOf = (config: RaftConfig): SessionLimits => ({
  timeoutMillis: config.sessionTimeoutMillis,
  maxReplies: config.maxSessionReplies,
  maxReplyBytes: config.maxSessionReplyBytes
})
