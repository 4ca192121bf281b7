/**
 * What sessions are made of, for a remote client: the records travel to the leader, which proposes them.
 *
 * A record is not tried again here when its answer is lost. `Session` does that, which knows for each command
 * whether an earlier try may have been applied.
 */
import * as Effect from "effect/Effect"
import { InvalidCommand } from "../../RaftError.ts"
import * as SessionAnswer from "../../sessions/SessionAnswer.ts"
import type { SessionOperations } from "../../sessions/SessionOperations.ts"
import * as SessionRecord from "../../sessions/SessionRecord.ts"
import type { StateMachine } from "../../StateMachine.ts"
import * as SessionCalls from "../SessionCalls.ts"
import * as Exchange from "./Exchange.ts"
import type { Router } from "./Router.ts"

const plain = Exchange.plain<unknown, SessionAnswer.SessionAnswer>()
const refuse = (detail: string) => new InvalidCommand({ detail })

const opening: Exchange.Kind<void, SessionAnswer.SessionAnswer> = {
  input: { encode: () => new Uint8Array(0) },
  output: SessionAnswer,
  request: (id) => ({ _tag: "OpenSession", id }),
  isQuery: false,
  refuse
}

const telling: Exchange.Kind<SessionCalls.Told, SessionAnswer.SessionAnswer> = {
  input: SessionRecord,
  output: SessionAnswer,
  request: (id, record) => ({ _tag: "Session", id, record }),
  isQuery: false,
  refuse
}

export const make = <Command, Reply, View>(
  router: Router,
  machine: StateMachine<Command, Reply, View>
): SessionOperations<Command, Reply> =>
  SessionCalls.over({
    open: Exchange.run(router, opening, undefined, plain),
    tell: (record) => Exchange.run(router, telling, record, plain),
    encode: (command) =>
      Effect.try({
        try: () => machine.command.encode(command),
        catch: (cause) => refuse((cause as Error).message)
      }),
    decode: machine.reply.decode
  })
