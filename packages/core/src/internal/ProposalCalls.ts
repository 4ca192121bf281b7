/**
 * A proposal as a call: to bytes, to the leader, here or elsewhere, and back from bytes.
 */
import * as Effect from "effect/Effect"
import type { RaftConfig } from "../RaftConfig.ts"
import type { NodeId } from "../NodeId.ts"
import {
  because,
  CommandTooLarge,
  InvalidCommand,
  NotLeader,
  OutcomeUnknown,
  Overloaded
} from "../RaftError.ts"
import type { RaftError, RaftErrorReason } from "../RaftError.ts"
import type { ForwardOutcome } from "../RaftMessage.ts"
import type { RunningNode } from "./RunningNode.ts"
import type { StateMachine } from "../StateMachine.ts"
import * as LocalProposal from "./LocalProposal.ts"
import type { Position } from "./ReplySlots.ts"
import * as Routing from "./Routing.ts"

/** A command as bytes, or what is wrong with it: it does not fit the machine's schema, or is too large. */
export const toBytes = <Command, Reply, View>(
  machine: StateMachine<Command, Reply, View>,
  config: RaftConfig,
  command: Command
): Uint8Array | InvalidCommand | CommandTooLarge => {
  let bytes: Uint8Array
  try {
    bytes = machine.command.encode(command)
  } catch (cause) {
    return new InvalidCommand({ detail: (cause as Error).message })
  }
  return bytes.byteLength > config.maxCommandBytes
    ? new CommandTooLarge({ bytes: bytes.byteLength, maxBytes: config.maxCommandBytes })
    : bytes
}

/** As {@link toBytes}, as an effect. */
export const encode = <Command, Reply, View>(
  machine: StateMachine<Command, Reply, View>,
  config: RaftConfig,
  command: Command
): Effect.Effect<Uint8Array, RaftErrorReason> =>
  Effect.suspend((): Effect.Effect<Uint8Array, RaftErrorReason> => {
    const bytes = toBytes(machine, config, command)
    return bytes instanceof Uint8Array ? Effect.succeed(bytes) : Effect.fail(bytes)
  })

/** What is made of an answer. */
export interface Answer<Reply, A> {
  readonly decodeReply: (bytes: Uint8Array) => Reply
  readonly of: (position: Position, reply: Reply) => A
}

/**
 * Has a proposal applied, wherever the leader is. The answer is made of what the node's replica gives, or,
 * from elsewhere, of what `decodeReply` makes of its bytes.
 *
 * A leader takes its own clients' commands without further ado: this is the path on which throughput hangs,
 * so it is one wait and nothing around it.
 */
export const propose = <View, Reply, A>(
  node: RunningNode<View>,
  proposal: LocalProposal.ClientProposal,
  answer: Answer<Reply, A>
): Effect.Effect<A, RaftError> =>
  node.state().role._tag === "Leader"
    ? LocalProposal.propose(node, proposal, {
        onApplied: ofReplica(answer),
        onFailed: (reason) =>
          reason._tag === "NotLeader" ? proposeAnywhere(node, proposal, answer) : Effect.fail(because(reason))
      })
    : proposeAnywhere(node, proposal, answer)

/** The node's own replica gives replies of the machine's type; that is lost on the way through the slots. */
const ofReplica = <Reply, A>(answer: Answer<Reply, A>) =>
  answer.of as (position: Position, reply: unknown) => A

const proposeAnywhere = <View, Reply, A>(
  node: RunningNode<View>,
  proposal: LocalProposal.ClientProposal,
  answer: Answer<Reply, A>
): Effect.Effect<A, RaftError> => {
  const ending: LocalProposal.Ending<A, RaftErrorReason> = {
    onApplied: ofReplica(answer),
    onFailed: Effect.fail
  }
  const attempt = (leader: NodeId): Effect.Effect<A, RaftErrorReason> => {
    const { config, self } = node.state()
    return leader === self
      ? LocalProposal.propose(node, proposal, ending)
      : Effect.flatMap(node.forward(leader, proposal), (outcome) => fromOutcome(outcome, config, answer))
  }
  return Effect.mapError(Routing.atLeader(node, attempt), because)
}

/** What the leader said of a forwarded command. */
const fromOutcome = <Reply, A>(
  outcome: ForwardOutcome,
  config: RaftConfig,
  answer: Answer<Reply, A>
): Effect.Effect<A, RaftErrorReason> => {
  switch (outcome._tag) {
    case "Applied": {
      const { index, term } = outcome
      return Effect.succeed(answer.of({ index, term }, answer.decodeReply(outcome.reply)))
    }
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
