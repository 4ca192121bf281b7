/**
 * The handlers that tell about the node, `/status`, `/health` and `/metrics`, and `/backup`.
 */
import type { RaftStatus } from "@effect-raft/core/RaftStatus"
import type { RaftError } from "@effect-raft/core/RaftError"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as KvBackups from "./KvBackups.ts"
import * as KvApi from "./KvApi.ts"
import * as KvMembers from "./KvMembers.ts"
import { KvMachine } from "./KvMachine.ts"
import * as KvMetrics from "./KvMetrics.ts"

/** The handlers, ready for `HttpApiBuilder.layer`. `url` is this node's own URL. */
export const layer = (options: { readonly url: string | null }) =>
  HttpApiBuilder.group(
    KvApi.KvApi,
    "node",
    Effect.fnUntraced(function* (handlers) {
      const raft = yield* KvMachine.Raft
      let failure: RaftError | undefined
      yield* raft.failure.pipe(
        Effect.catch((error) =>
          Effect.sync(() => {
            failure = error
          })
        ),
        Effect.annotateLogs({ fiber: "kv-health" }),
        Effect.forkScoped
      )
      const urlOf = KvMembers.urlOf(raft, options.url)
      const backups = yield* KvBackups.make(raft)

      return handlers.handleAll({
        backup: () => backups.take,
        status: () => Effect.map(raft.status, (status) => describe(raft, status, urlOf)),
        health: () => Effect.flatMap(raft.status, (status) => judge(status, failure)),
        metrics: () =>
          Effect.gen(function* () {
            const keys = yield* Effect.orElseSucceed(
              raft.read((view) => view.size, { consistency: "stale" }),
              () => 0
            )
            yield* KvMetrics.record(yield* raft.status, keys)
            return yield* PrometheusMetrics.format()
          })
      })
    })
  )

const describe = (
  raft: (typeof KvMachine.Raft)["Service"],
  status: RaftStatus,
  urlOf: KvMembers.UrlOf
): typeof KvApi.Status.Type => ({
  clusterId: status.clusterId,
  node: status.nodeId,
  role: status.role,
  term: status.term,
  leader: status.leader,
  commit: status.commitIndex,
  applied: status.appliedIndex,
  last: status.lastIndex,
  members: KvMembers.describe(raft, status.membership, urlOf)
})

const judge = (
  { leader }: RaftStatus,
  failure: RaftError | undefined
): Effect.Effect<typeof KvApi.Healthy.Type, typeof KvApi.Unhealthy.Type> => {
  if (failure !== undefined) {
    return Effect.fail({ status: "unavailable", leader, reason: failure.message })
  }
  return leader === null
    ? Effect.fail({ status: "unavailable", leader, reason: "no leader is known" })
    : Effect.succeed({ status: "ok", leader })
}
