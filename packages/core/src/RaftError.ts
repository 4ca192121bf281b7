/**
 * Why a call to the cluster did not answer with a value.
 *
 * There is one error, `RaftError`, with a tagged `reason`, so that a new reason breaks no signature:
 * `Effect.catchReason("RaftError", "NotLeader", ...)`. What matters most to a caller is whether the
 * command may have taken effect all the same; `outcome` says so for every reason.
 */
import * as Schema from "effect/Schema"
import { LogIndex } from "./LogIndex.ts"
import { describe, MembershipRejection } from "./MembershipChange.ts"
import { NodeId } from "./NodeId.ts"
import { SessionId, show } from "./SessionId.ts"
import { Term } from "./Term.ts"

/** This node is not the leader. `leader` is who is, as far as it knows. Surely did not happen. */
export class NotLeader extends Schema.TaggedError<NotLeader>()("NotLeader", {
  leader: Schema.NullOr(NodeId)
}) {
  override get message() {
    return this.leader === null
      ? "This node is not the leader, and it knows of none"
      : `This node is not the leader; ${this.leader} is`
  }
}

/** No leader was known within `waitedMillis`. Surely did not happen. */
export class NoLeader extends Schema.TaggedError<NoLeader>()("NoLeader", {
  waitedMillis: Schema.Finite
}) {
  override get message() {
    return `No leader was elected within ${this.waitedMillis} ms; is a majority of the members up and connected?`
  }
}

/**
 * The command was handed to a leader, but whether it was or will be committed is not known: the leader
 * lost its office, or its answer was lost. It may take effect at any time, or never.
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  /** Where the command stands in the log of the leader that took it, if that is known. */
  index: Schema.optionalKey(LogIndex),
  term: Schema.optionalKey(Term),
  detail: Schema.String
}) {
  override get message() {
    const where = this.index === undefined ? "" : ` at index ${this.index}, term ${this.term}`
    return `The outcome is unknown${where}: ${this.detail}`
  }
}

/** A bound was reached; nothing was queued. Surely did not happen; try again later. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  /** The name of the bound in `RaftConfig`. */
  bound: Schema.String,
  limit: Schema.Finite
}) {
  override get message() {
    return `Overloaded: ${this.bound} (${this.limit}) is reached; try again later`
  }
}

/** The encoded command is larger than `maxCommandBytes`. Surely did not happen. */
export class CommandTooLarge extends Schema.TaggedError<CommandTooLarge>()("CommandTooLarge", {
  bytes: Schema.Natural,
  maxBytes: Schema.Natural
}) {
  override get message() {
    return `The command takes ${this.bytes} bytes; at most ${this.maxBytes} are allowed (maxCommandBytes)`
  }
}

/** The command does not fit the machine's schema. Surely did not happen. */
export class InvalidCommand extends Schema.TaggedError<InvalidCommand>()("InvalidCommand", {
  detail: Schema.String
}) {
  override get message() {
    return `The command does not fit the machine's schema: ${this.detail}`
  }
}

/** The leader refuses to change the membership now, or in this way. Surely did not happen. */
export class MembershipRejected extends Schema.TaggedError<MembershipRejected>()("MembershipRejected", {
  rejection: MembershipRejection
}) {
  override get message() {
    return `The membership was not changed: ${describe(this.rejection)}`
  }
}

/** The machine cannot answer this query: it does not fit its schema, or the machine answers none. */
export class InvalidQuery extends Schema.TaggedError<InvalidQuery>()("InvalidQuery", {
  detail: Schema.String
}) {
  override get message() {
    return `The machine cannot answer this query: ${this.detail}`
  }
}

/** No node took the request of a remote client within `waitedMillis`, or all refused it. Surely did not happen. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  /** 0 where waiting would not have helped. */
  waitedMillis: Schema.Finite,
  /** What went wrong last. */
  detail: Schema.String
}) {
  override get message() {
    const within = this.waitedMillis === 0 ? "" : ` within ${this.waitedMillis} ms`
    return `No node took the request${within}: ${this.detail}`
  }
}

/**
 * The session was closed, has been idle for longer than its timeout, or never was. The call did not apply its
 * command. `outcome` is "unknown" where an earlier try of the same command may have, before the session
 * ended. Open another session; what was under way in this one cannot be tried again safely.
 */
export class SessionExpired extends Schema.TaggedError<SessionExpired>()("SessionExpired", {
  session: SessionId,
  outcome: Schema.Literals(["none", "unknown"])
}) {
  override get message() {
    const doubt =
      this.outcome === "unknown" ? "; whether an earlier try of the command took effect is not known" : ""
    return `Session ${show(this.session)} has expired or was closed${doubt}`
  }
}

/**
 * The session's client has acknowledged this command, which it had sent before: it was applied then, or
 * never will be. A client that sends a command again must not have acknowledged it.
 */
export class AlreadyAcknowledged extends Schema.TaggedError<AlreadyAcknowledged>()("AlreadyAcknowledged", {
  session: SessionId,
  sequence: Schema.Natural,
  acknowledgedBelow: Schema.Natural
}) {
  override get message() {
    return `Command ${this.sequence} of session ${show(this.session)} was acknowledged by its client, which waits for ${this.acknowledgedBelow} and later`
  }
}

/** The office was not handed over; no command has to do with it. `to` is who was to get it. */
export class TransferFailed extends Schema.TaggedError<TransferFailed>()("TransferFailed", {
  to: Schema.NullOr(NodeId),
  detail: Schema.String
}) {
  override get message() {
    const whom = this.to === null ? "" : ` to ${this.to}`
    return `The leadership was not transferred${whom}: ${this.detail}`
  }
}

/** Entries from this index were compacted away; the first one still held is `firstHeld`. */
export class Compacted extends Schema.TaggedError<Compacted>()("Compacted", {
  requested: LogIndex,
  firstHeld: LogIndex
}) {
  override get message() {
    return `Index ${this.requested} was compacted away; the log begins at ${this.firstHeld}`
  }
}

/** The node is shutting down, or has. Surely did not happen. */
export class ShuttingDown extends Schema.TaggedError<ShuttingDown>()("ShuttingDown", {}) {
  override get message() {
    return "The node is shutting down"
  }
}

/** The node stopped because its disk failed. Surely did not happen. */
export class StorageFailure extends Schema.TaggedError<StorageFailure>()("StorageFailure", {
  detail: Schema.String
}) {
  override get message() {
    return `The node stopped because its storage failed: ${this.detail}`
  }
}

/** The node stopped because the state machine threw on a committed entry, as it would on every node. */
export class MachineFailure extends Schema.TaggedError<MachineFailure>()("MachineFailure", {
  index: LogIndex,
  detail: Schema.String
}) {
  override get message() {
    return `The state machine failed on the entry at index ${this.index}: ${this.detail}`
  }
}

/**
 * The node stopped because the group runs a version of the state machine that this program does not have.
 * Nothing on its disk is wrong; start a newer program on it.
 */
export class ProgramTooOld extends Schema.TaggedError<ProgramTooOld>()("ProgramTooOld", {
  /** Where the version came into force, or the snapshot that has it ends. */
  index: LogIndex,
  version: Schema.Natural,
  /** The highest version that this program has. */
  supported: Schema.Natural
}) {
  override get message() {
    return `The group runs version ${this.version} of the state machine (index ${this.index}); this program has version ${this.supported} at most. Start a newer program on this node; its data is intact`
  }
}

/** The node stopped because a rule of Raft did not hold: a bug, or forged messages. Please report it. */
export class InvariantBroken extends Schema.TaggedError<InvariantBroken>()("InvariantBroken", {
  detail: Schema.String
}) {
  override get message() {
    return `The node stopped because an invariant was broken: ${this.detail}`
  }
}

export const RaftErrorReason = Schema.Union([
  NotLeader,
  NoLeader,
  OutcomeUnknown,
  Overloaded,
  CommandTooLarge,
  InvalidCommand,
  MembershipRejected,
  TransferFailed,
  InvalidQuery,
  Unreachable,
  SessionExpired,
  AlreadyAcknowledged,
  Compacted,
  ShuttingDown,
  StorageFailure,
  MachineFailure,
  ProgramTooOld,
  InvariantBroken
])
export type RaftErrorReason = typeof RaftErrorReason.Type

/** Whether a command may have taken effect: `none`, it surely has not and will not; `unknown`, it may. */
export type Outcome = "none" | "unknown"

export class RaftError extends Schema.TaggedError<RaftError>()("RaftError", { reason: RaftErrorReason }) {
  override get message() {
    return this.reason.message
  }

  /** Whether the command may have taken effect all the same. */
  get outcome(): Outcome {
    switch (this.reason._tag) {
      case "SessionExpired":
        return this.reason.outcome
      case "OutcomeUnknown":
      case "AlreadyAcknowledged":
      case "MachineFailure":
      case "InvariantBroken":
        return "unknown"
      default:
        return "none"
    }
  }
}

/** Wraps a reason. */
export const because = (reason: RaftErrorReason): RaftError => new RaftError({ reason })
