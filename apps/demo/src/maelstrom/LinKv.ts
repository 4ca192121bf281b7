/**
 * The lin-kv workload on a replicated machine: every request of a client ends in exactly one answer.
 *
 * Any node takes any request. A write travels through the log, by way of the leader; a read asks a quorum
 * whether the leader still is one, and then looks at this node's own state.
 */
import type { Consistency, Raft } from "@effect-raft/core/Raft"
import type { RaftError } from "@effect-raft/core/RaftError"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as ErrorCode from "./ErrorCode.ts"
import * as JsonText from "./JsonText.ts"
import type { LinKvCommand, LinKvReply, LinKvState } from "./LinKvMachine.ts"
import * as Message from "./Message.ts"

export interface LinKv {
  readonly answer: (request: Message.Request) => Effect.Effect<Message.Reply>
}

export const make = (options: {
  readonly raft: Raft<LinKvCommand, LinKvReply, LinKvState>
  /** How fresh reads are. With "stale" the store is not linearizable, as a checker will find. */
  readonly consistency: Consistency
}): LinKv => {
  const { raft, consistency } = options

  const read = (key: string) =>
    Effect.map(
      raft.read((state) => HashMap.get(state, key), { consistency }),
      Option.match({
        onNone: () => absent(key),
        onSome: (text): Message.Reply => ({ type: "read_ok", value: JsonText.toValue(text) })
      })
    )

  const write = (command: LinKvCommand) =>
    Effect.map(raft.propose(command), (reply) => describe(command, reply))

  return {
    answer: (request) =>
      Effect.catch(request.type === "read" ? read(request.key) : write(toCommand(request)), (error) =>
        Effect.succeed(failure(error))
      )
  }
}

const toCommand = (request: Exclude<Message.Request, { readonly type: "read" }>): LinKvCommand => {
  if (request.type === "write") return { _tag: "Write", key: request.key, value: request.value }
  const { key, from, to, create_if_not_exists: createIfAbsent = false } = request
  return { _tag: "CompareAndSet", key, from, to, createIfAbsent }
}

const describe = (command: LinKvCommand, reply: LinKvReply): Message.Reply => {
  switch (reply._tag) {
    case "Written":
      return { type: command._tag === "Write" ? "write_ok" : "cas_ok" }
    case "Absent":
      return absent(command.key)
    case "Different":
      return Message.error(
        ErrorCode.preconditionFailed,
        `the key ${excerpt(command.key)} has the value ${excerpt(reply.found)}`
      )
  }
}

const absent = (key: string): Message.Reply =>
  Message.error(ErrorCode.keyDoesNotExist, `the key ${excerpt(key)} has no value`)

const failure = (error: RaftError): Message.Reply =>
  Message.error(ErrorCode.ofRaftError(error), error.message)

const excerptLength = 60

const excerpt = (text: string): string =>
  text.length > excerptLength ? `${text.slice(0, excerptLength)}…` : text
