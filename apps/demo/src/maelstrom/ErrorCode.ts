/**
 * What went wrong, in Maelstrom's numbers.
 *
 * A definite error promises that the operation has not happened and never will; an indefinite one leaves
 * it open, and the checker then has to reckon with both. To call an open outcome definite would make a
 * correct store look broken, so every reason is sorted by what Raft knows of it.
 */
import type { RaftError } from "@effect-raft/core/RaftError"

/** Indefinite: no answer in time. The operation may have happened, or may happen yet. */
export const timeout = 0
/** Definite: a type of message that this node does not know. */
export const notSupported = 10
/** Definite: not now; no leader, too much at once, not initialised, or stopping. */
export const temporarilyUnavailable = 11
/** Definite: the request cannot be understood. */
export const malformedRequest = 12
/** Indefinite: the node broke while it worked on the request. */
export const crash = 13
/** Definite: the node cannot do it, for a reason that has no number of its own. */
export const abort = 14
/** Definite: the key has no value. */
export const keyDoesNotExist = 20
/** Definite: the value is not the one that was expected. */
export const preconditionFailed = 22

/** The number for a call that Raft did not answer with a value. */
export const ofRaftError = (error: RaftError): number => {
  switch (error.reason._tag) {
    case "OutcomeUnknown":
      return timeout
    case "CommandTooLarge":
    case "InvalidCommand":
      return malformedRequest
    default:
      return error.outcome === "unknown" ? crash : temporarilyUnavailable
  }
}
