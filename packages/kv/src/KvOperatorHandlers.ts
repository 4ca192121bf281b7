/**
 * The handlers for operators: changes of the membership and of the leader.
 *
 * Only the leader can carry them out. Another node does not pass them on, but says who the leader is: an
 * operator should know which node decides.
 */
import type { RaftError } from "@effect-raft/core/RaftError"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import * as KvApi from "./KvApi.ts"
import * as KvBadRequests from "./KvBadRequests.ts"
import { KvMachine } from "./KvMachine.ts"
import * as KvMembers from "./KvMembers.ts"

/** The handlers, ready for `HttpApiBuilder.layer`. `url` is this node's own URL. */
export const layer = (options: { readonly url: string | null }) =>
  Layer.provide(handlers(options), KvBadRequests.layer)

const handlers = (options: { readonly url: string | null }) =>
  HttpApiBuilder.group(
    KvApi.KvApi,
    "operator",
    Effect.fnUntraced(function* (handlers) {
      const raft = yield* KvMachine.Raft
      const urlOf = KvMembers.urlOf(raft, options.url)
      const told = (error: RaftError) => failureOf(error, urlOf)

      return handlers.handleAll({
        changeMembership: ({ payload }) =>
          raft.changeMembership(payload).pipe(
            Effect.map((membership) => ({ members: KvMembers.describe(raft, membership, urlOf) })),
            Effect.mapError(told)
          ),
        transferLeadership: ({ payload }) =>
          raft.transferLeadership(payload).pipe(
            Effect.map((leader) => ({ leader })),
            Effect.mapError(told)
          )
      })
    })
  )

type Failure =
  | typeof KvApi.NotLeader.Type
  | typeof KvApi.OperationRefused.Type
  | typeof KvApi.Unavailable.Type
  | typeof KvApi.OutcomeUnknown.Type

const failureOf = ({ message, outcome, reason }: RaftError, urlOf: KvMembers.UrlOf): Failure => {
  switch (reason._tag) {
    case "NotLeader": {
      const { leader } = reason
      const url = leader === null ? null : urlOf(leader)
      return { error: "NotLeader", message, outcome: "none", leader, url }
    }
    case "MembershipRejected":
      return { error: "OperationRefused", message, outcome: "none", reason: reason.rejection._tag }
    case "TransferFailed":
      return { error: "OperationRefused", message, outcome: "none", reason: reason._tag }
    default:
      return outcome === "unknown"
        ? { error: "OutcomeUnknown", message, outcome }
        : { error: "Unavailable", message, outcome, reason: reason._tag }
  }
}
