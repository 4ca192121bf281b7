/**
 * Why a key-value operation did not answer with a value.
 *
 * One error, `KvError`, with a tagged `reason`, as `RaftError` has. `outcome` tells a writer the one
 * thing it must know before it tries again: whether the write may have taken effect all the same.
 */
import type { Outcome, RaftError } from "@effect-raft/core/RaftError"
import { LogIndex } from "@effect-raft/core/LogIndex"
import { RaftErrorReason } from "@effect-raft/core/RaftError"
import { Term } from "@effect-raft/core/Term"
import * as Schema from "effect/Schema"
import { maxOverheadBytes, Revision } from "./KvCommand.ts"
import type { KvCommand } from "./KvCommand.ts"

/** The condition of the write does not hold. Nothing was changed. */
export class ConditionFailed extends Schema.TaggedError<ConditionFailed>()("ConditionFailed", {
  key: Schema.String,
  /** The revision of the value there, `null` where there is none. */
  revision: Schema.NullOr(Revision)
}) {
  override get message() {
    return this.revision === null
      ? `The condition does not hold: ${JSON.stringify(this.key)} has no value`
      : `The condition does not hold: ${JSON.stringify(this.key)} has revision ${this.revision}`
  }
}

/** This is no key. Nothing was changed. */
export class KeyInvalid extends Schema.TaggedError<KeyInvalid>()("KeyInvalid", { detail: Schema.String }) {
  override get message() {
    return `Invalid key: ${this.detail}`
  }
}

/** The value is larger than one command may be. Nothing was changed. */
export class ValueTooLarge extends Schema.TaggedError<ValueTooLarge>()("ValueTooLarge", {
  /** Size of the value; where it was not read to its end, how far it is known to reach. */
  bytes: Schema.Natural,
  maxBytes: Schema.Natural
}) {
  override get message() {
    return `The value takes ${this.bytes} bytes; at most ${this.maxBytes} are allowed`
  }
}

/** The operation surely did not happen and may be tried again: no leader, overload, shutdown, … */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  detail: Schema.String,
  /** What the node said, where the answer came from one in this process. */
  raft: Schema.optionalKey(RaftErrorReason)
}) {
  override get message() {
    return `Unavailable: ${this.detail}`
  }
}

/** The write may have taken effect, may still do so, or may never. Only a read can tell. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  detail: Schema.String,
  /** Where the command stands in the log of the leader that took it, if that is known. */
  index: Schema.optionalKey(LogIndex),
  term: Schema.optionalKey(Term)
}) {
  override get message() {
    return `The outcome is unknown: ${this.detail}`
  }
}

export const KvErrorReason = Schema.Union([
  ConditionFailed,
  KeyInvalid,
  ValueTooLarge,
  Unavailable,
  OutcomeUnknown
])
export type KvErrorReason = typeof KvErrorReason.Type

export class KvError extends Schema.TaggedError<KvError>()("KvError", { reason: KvErrorReason }) {
  override get message() {
    return this.reason.message
  }

  /** Whether a write may have taken effect all the same. */
  get outcome(): Outcome {
    return this.reason._tag === "OutcomeUnknown" ? "unknown" : "none"
  }
}

/** Wraps a reason. */
export const because = (reason: KvErrorReason): KvError => new KvError({ reason })

/** A failed read. It changes nothing, whatever the node says of outcomes. */
export const fromRead = ({ message, reason }: RaftError): KvError =>
  because(new Unavailable({ detail: message, raft: reason }))

/** A failed write. */
export const fromWrite = (error: RaftError, command: KvCommand): KvError => {
  const { reason } = error
  if (reason._tag === "OutcomeUnknown") {
    const { detail, index, term } = reason
    return because(
      new OutcomeUnknown({
        detail,
        ...(index === undefined ? {} : { index }),
        ...(term === undefined ? {} : { term })
      })
    )
  }
  if (reason._tag === "CommandTooLarge") {
    const maxBytes = Math.max(0, reason.maxBytes - maxOverheadBytes)
    return because(
      new ValueTooLarge({ bytes: command._tag === "Put" ? command.value.byteLength : 0, maxBytes })
    )
  }
  return error.outcome === "unknown"
    ? because(new OutcomeUnknown({ detail: error.message }))
    : because(new Unavailable({ detail: error.message, raft: reason }))
}
