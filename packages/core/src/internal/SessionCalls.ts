/**
 * The calls that sessions are made of: each is an entry of the kind `Session`, and what the replicated table
 * answers to it. A node proposes the entries itself, a remote client has them proposed.
 */
import * as Effect from "effect/Effect"
import type { RaftConfig } from "../RaftConfig.ts"
import { because } from "../RaftError.ts"
import type { RaftError, RaftErrorReason } from "../RaftError.ts"
import type { RunningNode } from "./RunningNode.ts"
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

/** Who brings a record to the table of sessions, and the table's answer back. */
export interface Messenger<Command, Reply> {
  /** Opens a session within the limits of the node that takes the call. */
  readonly open: Effect.Effect<SessionAnswer.SessionAnswer, RaftError>
  readonly tell: (record: Told) => Effect.Effect<SessionAnswer.SessionAnswer, RaftError>
  readonly encode: (command: Command) => Effect.Effect<Uint8Array, RaftErrorReason>
  readonly decode: (reply: Uint8Array) => Reply
}

/** Every record but the one that opens a session. */
export type Told = Exclude<SessionRecord.SessionRecord, SessionRecord.Open>

/** The operations of clients, over a messenger. */
export const over = <Command, Reply>({
  decode,
  encode,
  open,
  tell
}: Messenger<Command, Reply>): SessionOperations<Command, Reply> => {
  /** What the table answered, where it is the answer that such a record has when all is well. */
  const expect =
    <Tag extends "Opened" | "Applied" | "Done">(expected: Tag, asked: SessionRefusal.Asked) =>
    (answer: SessionAnswer.SessionAnswer): Effect.Effect<Answer<Tag>, RaftError> =>
      answer._tag === expected
        ? Effect.succeed(answer as Answer<Tag>)
        : Effect.fail(because(SessionRefusal.reasonOf(answer, asked)))

  const ask = <Tag extends "Applied" | "Done">(record: Told, expected: Tag) =>
    Effect.flatMap(tell(record), expect(expected, record))

  return {
    open: open.pipe(
      Effect.flatMap(expect("Opened", { _tag: "Open" })),
      Effect.map(({ limits, session }) => ({ limits, session }))
    ),
    propose: ({ acknowledgedBelow, command, sequence, session }) =>
      encode(command).pipe(
        Effect.mapError(because),
        Effect.flatMap((bytes) =>
          ask({ _tag: "Command", session, sequence, acknowledgedBelow, command: bytes }, "Applied")
        ),
        Effect.map(({ index, reply, term }) => ({ index, term, reply: decode(reply) }))
      ),
    keepAlive: ({ acknowledgedBelow, session }) =>
      Effect.asVoid(Effect.suspend(() => ask({ _tag: "KeepAlive", session, acknowledgedBelow }, "Done"))),
    close: (session) => Effect.asVoid(Effect.suspend(() => ask({ _tag: "Close", session }, "Done")))
  }
}

/** The operations of a node. */
export const make = <Command, Reply, View>(
  node: RunningNode<View>,
  machine: StateMachine<Command, Reply, View>,
  config: RaftConfig
): SessionOperations<Command, Reply> => {
  const tell = (record: SessionRecord.SessionRecord) =>
    ProposalCalls.propose(
      node,
      { kind: "Session", payload: SessionRecord.encode(record) },
      { decodeReply: SessionAnswer.decode, of: (_position, reply) => reply }
    )
  return over({
    open: Effect.suspend(() => tell(openRecord(config))),
    tell,
    encode: (command) => ProposalCalls.encode(machine, config, command),
    decode: machine.reply.decode
  })
}

/** Opens a session here. Its limits stand in the log from then on. */
export const openRecord = (config: RaftConfig): SessionRecord.Open => ({
  _tag: "Open",
  limits: {
    timeoutMillis: config.sessionTimeoutMillis,
    maxReplies: config.maxSessionReplies,
    maxReplyBytes: config.maxSessionReplyBytes
  },
  maxSessions: config.maxSessions
})
