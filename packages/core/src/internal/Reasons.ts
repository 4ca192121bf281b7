/**
 * Why a node refuses, gives up or stops, in the words of `RaftError`.
 */
import * as Cause from "effect/Cause"
import type { PeerForgot, ProposalRefusal } from "../consensus/Action.ts"
import * as NodeState from "../consensus/NodeState.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import { InvariantBroken, NoLeader, NotLeader, Overloaded, StorageFailure } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { StorageError } from "../RaftStorage.ts"

export const tooManyRequests = (config: RaftConfig) =>
  new Overloaded({ bound: "maxQueuedRequests", limit: config.maxQueuedRequests })

export const tooFarBehind = (config: RaftConfig) =>
  new NoLeader({ waitedMillis: config.requestTimeoutMillis })

/** Why the rules did not take proposals. */
export const refusal = (because: ProposalRefusal, state: NodeState.NodeState): RaftErrorReason => {
  switch (because) {
    case "NotLeader":
      return new NotLeader({ leader: NodeState.leaderOf(state) })
    case "Transferring":
      return new NotLeader({ leader: NodeState.transferTo(state) ?? null })
    case "TooMuchUncommitted":
      return new Overloaded({ bound: "maxUncommittedBytes", limit: state.config.maxUncommittedBytes })
  }
}

export const storageFailure = (error: StorageError): StorageFailure =>
  new StorageFailure({ detail: error.message })

/** A typed failure is its own reason; a defect is a rule of ours that did not hold. */
export const reasonOf = (cause: Cause.Cause<RaftErrorReason>): RaftErrorReason => {
  const squashed = Cause.squash(cause) as RaftErrorReason | Error
  return "_tag" in squashed ? squashed : new InvariantBroken({ detail: squashed.message })
}

/** For the log of a leader whose peer came back without what it had promised to keep. */
export const forgetfulness = ({ acknowledged, peer }: PeerForgot): string =>
  `${peer} has lost what it had acknowledged, up to index ${acknowledged}: its data was removed, or an old copy put in ` +
  "its place. It gets everything anew. Stop no other node before it has caught up"
