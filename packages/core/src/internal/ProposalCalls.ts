/**
 * A proposal as a call: to bytes, to the leader, here or elsewhere, and back from bytes.
 */
import * as Effect from "effect/Effect"
import type { RaftConfig } from "../RaftConfig.ts"
import { CommandTooLarge, InvalidCommand, NotLeader, OutcomeUnknown, Overloaded } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { ForwardOutcome } from "../RaftMessage.ts"
import type { RaftNode } from "../RaftNode.ts"
import type { StateMachine } from "../StateMachine.ts"
import * as LocalProposal from "./LocalProposal.ts"
import type { Position } from "./ReplySlots.ts"
import * as Routing from "./Routing.ts"

/** A command as bytes, unless it does not fit the machine's schema or is too large. */
export const encode = <Command, Reply, View>(
  machine: StateMachine<Command, Reply, View>,
  config: RaftConfig,
  command: Command
): Effect.Effect<Uint8Array, RaftErrorReason> =>
  Effect.suspend((): Effect.Effect<Uint8Array, RaftErrorReason> => {
    let bytes: Uint8Array
    try {
      bytes = machine.command.encode(command)
    } catch (cause) {
      return Effect.fail(new InvalidCommand({ detail: (cause as Error).message }))
    }
    return bytes.byteLength > config.maxCommandBytes
      ? Effect.fail(new CommandTooLarge({ bytes: bytes.byteLength, maxBytes: config.maxCommandBytes }))
      : Effect.succeed(bytes)
  })

/**
 * Has a proposal applied, wherever the leader is. The answer is what the node's replica gives, or, from
 * elsewhere, what `decodeReply` makes of its bytes.
 */
export const propose = <View, Reply>(
  node: RaftNode<View>,
  proposal: LocalProposal.ClientProposal,
  decodeReply: (bytes: Uint8Array) => Reply
): Effect.Effect<Position & { readonly reply: Reply }, RaftErrorReason> =>
  Routing.atLeader(node, (leader) => {
    const { config, self } = node.state()
    return leader === self
      ? Effect.map(LocalProposal.propose(node, proposal, "Applied"), ({ position, reply }) => ({
          ...position,
          reply: reply as Reply
        }))
      : Effect.flatMap(node.forward(leader, proposal), (outcome) => fromOutcome(outcome, config, decodeReply))
  })

/** What the leader said of a forwarded command. */
const fromOutcome = <Reply>(
  outcome: ForwardOutcome,
  config: RaftConfig,
  decodeReply: (bytes: Uint8Array) => Reply
): Effect.Effect<Position & { readonly reply: Reply }, RaftErrorReason> => {
  switch (outcome._tag) {
    case "Applied":
      return Effect.succeed({ index: outcome.index, term: outcome.term, reply: decodeReply(outcome.reply) })
    case "Unknown": {
      const detail = "the leader lost its office before the command was committed"
      return Effect.fail(new OutcomeUnknown({ index: outcome.index, term: outcome.term, detail }))
    }
    case "Refused":
      return Effect.fail(refusal(outcome, config))
  }
}

const refusal = (
  { leader, reason }: Extract<ForwardOutcome, { readonly _tag: "Refused" }>,
  config: RaftConfig
): RaftErrorReason => {
  switch (reason) {
    case "Overloaded":
      return new Overloaded({ bound: "maxQueuedRequests", limit: config.maxQueuedRequests })
    case "InvalidCommand":
      return new InvalidCommand({ detail: "the leader runs an older program, which does not know it" })
    default:
      return new NotLeader({ leader })
  }
}
