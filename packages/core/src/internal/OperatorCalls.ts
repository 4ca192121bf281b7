/**
 * The calls of an operator: to change the membership, to hand the office over.
 *
 * They go through the mailbox like a client's, become events of the rules, and end with what the rules say of
 * them, or with the request timeout, whatever becomes of the node.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Action, TransferRefusal } from "../consensus/Action.ts"
import type { NodeState } from "../consensus/NodeState.ts"
import { leaderOf } from "../consensus/NodeState.ts"
import type { Membership } from "../Membership.ts"
import type { MembershipChange, MembershipRejection } from "../MembershipChange.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import { MembershipRejected, NotLeader, Overloaded, TransferFailed } from "../RaftError.ts"
import type { RaftErrorReason } from "../RaftError.ts"
import type { Endpoint } from "../RaftTransport.ts"
import { ChangeSlots } from "./ChangeSlots.ts"
import type { Mailbox } from "./Mailbox.ts"
import { TransferSlots } from "./TransferSlots.ts"

export interface OperatorCalls {
  /** Has the leader, if that is this node, change the membership; ends when the change is committed. */
  readonly changeMembership: (change: MembershipChange) => Effect.Effect<Membership, RaftErrorReason>
  /** Hands over to `to`, or to whoever is best; ends when the next leader is known here. */
  readonly transferLeadership: (to: NodeId | null) => Effect.Effect<NodeId, RaftErrorReason>
  /** To be called after each turn: answers those whose calls have ended. */
  readonly onTurn: (before: NodeState, after: NodeState, actions: ReadonlyArray<Action>) => void
  /** The node ends. */
  readonly failAll: (reason: RaftErrorReason) => void
}

export const make = (options: {
  readonly config: RaftConfig
  readonly mailbox: Mailbox
  readonly endpoint: Endpoint
  readonly stopped: () => RaftErrorReason | undefined
}): OperatorCalls => {
  const { config, mailbox, endpoint, stopped } = options
  const changes = new ChangeSlots()
  const transfers = new TransferSlots()

  const changeMembership = (change: MembershipChange): Effect.Effect<Membership, RaftErrorReason> =>
    Effect.suspend(() => {
      const reason = stopped() ?? badAddress(change, endpoint)
      if (reason !== undefined) return Effect.fail(reason)
      const { requestId, outcome } = changes.open()
      if (!mailbox.request({ _tag: "Operate", event: { _tag: "MembershipRequested", requestId, change } }))
        changes.refuse(requestId, tooManyRequests(config))
      const giveUp = () =>
        Effect.fail(changes.outcomeWithoutAnswer(requestId, "the change is not committed yet"))
      return Deferred.await(outcome).pipe(
        Effect.timeoutOrElse({ duration: config.requestTimeoutMillis, orElse: giveUp }),
        Effect.ensuring(Effect.sync(() => changes.forget(requestId)))
      )
    })

  const transferLeadership = (to: NodeId | null): Effect.Effect<NodeId, RaftErrorReason> =>
    Effect.suspend(() => {
      const reason = stopped()
      if (reason !== undefined) return Effect.fail(reason)
      const { requestId, leader } = transfers.open(to)
      if (!mailbox.request({ _tag: "Operate", event: { _tag: "TransferRequested", requestId, to } }))
        transfers.fail(requestId, tooManyRequests(config))
      const giveUp = () => Effect.fail(new TransferFailed({ to, detail: "nobody is known to lead yet" }))
      return Deferred.await(leader).pipe(
        Effect.timeoutOrElse({ duration: config.requestTimeoutMillis, orElse: giveUp }),
        Effect.ensuring(Effect.sync(() => transfers.forget(requestId)))
      )
    })

  const answer = (action: Action, state: NodeState): void => {
    switch (action._tag) {
      case "MembershipAppended":
        return changes.begin(action.requestId, { index: action.index, term: action.term })
      case "MembershipRefused":
        return changes.refuse(action.requestId, rejected(action.because, state))
      case "MembershipSettled":
        return changes.settle(action.index, action.membership)
      case "TransferBegun":
        return transfers.begin(action.requestId, { to: action.to, term: state.currentTerm })
      case "TransferRefused":
        return action.because === "NotLeader"
          ? transfers.fail(action.requestId, new NotLeader({ leader: leaderOf(state) }))
          : transfers.refuse(action.requestId, words[action.because])
      case "TransferAbandoned": {
        const detail = `${action.to} did not take over within an election timeout`
        return transfers.fail(action.requestId, new TransferFailed({ to: action.to, detail }))
      }
      default:
        return undefined
    }
  }

  return {
    changeMembership,
    transferLeadership,
    onTurn: (before, after, actions) => {
      for (const action of actions) answer(action, after)
      if (before.role._tag === "Leader" && after.role._tag !== "Leader") changes.failBegun()
      transfers.settle(after)
    },
    failAll: (reason) => {
      changes.failAll(reason)
      transfers.failAll(reason)
    }
  }
}

const badAddress = (change: MembershipChange, endpoint: Endpoint): MembershipRejected | undefined => {
  if (!("address" in change)) return undefined
  const { address } = change
  const detail = endpoint.problemWith(address)
  return detail === undefined
    ? undefined
    : new MembershipRejected({ rejection: { _tag: "InvalidAddress", address, detail } })
}

const rejected = (because: "NotLeader" | MembershipRejection, state: NodeState): RaftErrorReason =>
  because === "NotLeader"
    ? new NotLeader({ leader: leaderOf(state) })
    : new MembershipRejected({ rejection: because })

const words: Readonly<Record<Exclude<TransferRefusal, "NotLeader">, string>> = {
  AlreadyLeader: "it leads already",
  InProgress: "another transfer is under way; wait for its end",
  NoSuccessor: "the leader hears no other voter that could take over",
  NotAVoter: "only a voter can lead; see status for who votes"
}

const tooManyRequests = (config: RaftConfig) =>
  new Overloaded({ bound: "maxQueuedRequests", limit: config.maxQueuedRequests })
