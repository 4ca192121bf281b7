/**
 * One call of a remote client, from the moment it is made to its one answer. It may be sent more than
 * once, but only where that cannot do harm.
 */
import type { ClientRequest } from "../../ClientMessage.ts"
import { OutcomeUnknown, Unreachable } from "../../RaftError.ts"
import type { RaftErrorReason } from "../../RaftError.ts"

/** There are many, so a call is one object: who makes it says what it asks and who hears of the answer. */
export abstract class Call {
  /** The router's tick at which it is given up. */
  lastTick = 0
  /** Where the router keeps it; -1 while it does not. */
  number = -1
  /** It is on its way to a node, or there. */
  isSent = false
  /** It has ended, or nobody waits for it any more. */
  isOver = false

  /** It changes nothing: what becomes of it is never in doubt, and it may be tried again at any time. */
  abstract get isQuery(): boolean
  /** The request, under the number that it has on the connection it goes out on. */
  abstract request(id: number): ClientRequest
  abstract onDone(bytes: Uint8Array): void
  abstract onFailed(reason: RaftErrorReason): void

  /** How it ends when nobody has said what became of it. */
  withoutAnswer(waitedMillis: number, detail: string): RaftErrorReason {
    return this.isSent && !this.isQuery
      ? new OutcomeUnknown({ detail })
      : new Unreachable({ waitedMillis, detail })
  }
}

/** What an answer that is not the value means for its call. */
export type Verdict =
  /** It is the caller's business. */
  | "Tell"
  /** It surely did not happen, and another node may do it. */
  | "Elsewhere"
  /** It may have happened, which is the caller's business unless it is a query. */
  | "InDoubt"

export const verdictOf = (reason: RaftErrorReason): Verdict => {
  switch (reason._tag) {
    case "NotLeader":
    case "NoLeader":
    case "ShuttingDown":
    case "StorageFailure":
      return "Elsewhere"
    case "OutcomeUnknown":
    case "MachineFailure":
    case "InvariantBroken":
      return "InDoubt"
    default:
      return "Tell"
  }
}
