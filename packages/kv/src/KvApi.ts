/**
 * The HTTP API of the key-value service, as a declaration.
 *
 * From it come the routes of `KvServer`, the OpenAPI document and the page at `/docs`; a typed client
 * of one's own can be derived with Effect's `HttpApiClient` (`KvClient` is the one that retries).
 *
 * Errors are JSON with the name of what went wrong in `error` and a sentence in `message`. Those that
 * concern a write's fate say so in `outcome`: `none`, it surely did not happen; `unknown`, it may have.
 */
import { MembershipChange } from "@effect-raft/core/MembershipChange"
import { NodeId } from "@effect-raft/core/NodeId"
import { Role } from "@effect-raft/core/RaftStatus"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import { Revision } from "./KvCommand.ts"

const failure = <const Name extends string, Fields extends Schema.Struct.Fields>(
  status: number,
  name: Name,
  description: string,
  fields: Fields
) =>
  Schema.Struct({ error: Schema.tag(name), message: Schema.String, ...fields })
    .annotate({ identifier: name, description })
    .pipe(HttpApiSchema.status(status))

/** 400: the request makes no sense. `in` tells which part of it. */
export const BadRequest = failure(400, "BadRequest", "The request makes no sense; nothing was done.", {
  in: Schema.Literals(["key", "query", "headers", "body"])
})

/** 404: the key has no value. */
export const NotFound = failure(404, "NotFound", "The key has no value.", { key: Schema.String })

/** 412: the condition of a write does not hold. `revision` is what is there. */
export const ConditionFailed = failure(
  412,
  "ConditionFailed",
  "The condition of the write does not hold; nothing was changed.",
  { revision: Schema.NullOr(Revision) }
)

/** 413: the value is larger than is allowed. */
export const ValueTooLarge = failure(413, "ValueTooLarge", "The value is too large; nothing was changed.", {
  sizeBytes: Schema.Natural,
  limitBytes: Schema.Natural
})

/** 403, or 400 in plain text: the node does not believe who the client is. Given before a request is looked at. */
export const ClientRefused = failure(403, "ClientRefused", "The client's certificate is not accepted.", {
  outcome: Schema.tag("none")
})

const UnavailableBody = failure(
  503,
  "Unavailable",
  "It surely did not happen and may be tried again, here or at another node.",
  {
    outcome: Schema.tag("none"),
    /** Why, in one word: the tag of a `RaftError`'s reason. */
    reason: Schema.String
  }
)

/** Seconds after which a client that got a 503 should try again. */
const retryAfterSeconds = "1"

/** 503: it surely did not happen. Comes with `Retry-After`. */
export const Unavailable = UnavailableBody.pipe(
  HttpApiSchema.encodeToWithHeaders(
    { body: UnavailableBody, headers: { "retry-after": Schema.String } },
    {
      decode: ({ body }) => body,
      encode: (body) => ({ body, headers: { "retry-after": retryAfterSeconds } })
    }
  )
)

/** 504: a write that may or may not have happened. */
export const OutcomeUnknown = failure(
  504,
  "OutcomeUnknown",
  "The write may have happened, may still happen, or may never. Only a read can tell.",
  {
    outcome: Schema.tag("unknown"),
    index: Schema.optionalKey(Schema.Natural),
    term: Schema.optionalKey(Schema.Natural)
  }
)

/** What a failed write may answer. */
export const WriteFailure = Schema.Union([
  BadRequest,
  ConditionFailed,
  ValueTooLarge,
  UnavailableBody,
  OutcomeUnknown
])

/** Turns what the schemas refuse into a `BadRequest`. */
export class RefuseBadRequests extends HttpApiMiddleware.Service<RefuseBadRequests>()(
  "effect-raft/kv/RefuseBadRequests",
  { error: BadRequest }
) {}

const params = { key: Schema.String.annotate({ description: "1 to 1024 bytes of UTF-8, percent-encoded" }) }

const RevisionFromText = Schema.String.check(
  Schema.isPattern(/^[1-9][0-9]{0,15}$/, { expected: "a revision (a positive whole number)" })
).pipe(Schema.decodeTo(Revision, SchemaTransformation.numberFromString))

const ifMatch = Schema.optionalKey(
  RevisionFromText.annotate({ description: "Only if the value there has this revision" })
)

const PutQuery = Schema.Struct({
  ifMatch,
  ifAbsent: Schema.optionalKey(
    Schema.Literals(["true", "false"]).annotate({ description: "Only if there is no value" })
  )
}).check(
  Schema.makeFilter(({ ifAbsent, ifMatch }) =>
    ifMatch !== undefined && ifAbsent === "true" ? "ifMatch and ifAbsent exclude each other" : undefined
  )
)

const conditionHeaders = {
  "if-match": Schema.optionalKey(
    Schema.String.annotate({ description: "As ifMatch: the ETag of the value" })
  ),
  "if-none-match": Schema.optionalKey(Schema.String.annotate({ description: "`*`, as ifAbsent" }))
}

const Bytes = Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array({ contentType: "application/octet-stream" }))

const etag = { etag: Schema.String.annotate({ description: "The revision, in double quotes" }) }

const writeErrors = [ConditionFailed, ValueTooLarge, Unavailable, OutcomeUnknown] as const

const put = HttpApiEndpoint.put("put", "/kv/:key", {
  params,
  query: PutQuery,
  headers: conditionHeaders,
  // Any content type is taken; the bytes are stored as they are.
  payload: HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" }),
  success: HttpApiSchema.WithHeaders(Schema.Struct({ revision: Revision }), etag),
  error: writeErrors
}).annotate(OpenApi.Summary, "Write a value, perhaps on a condition")

const get = HttpApiEndpoint.get("get", "/kv/:key", {
  params,
  query: {
    consistency: Schema.optionalKey(
      Schema.Literals(["linearizable", "lease", "stale"]).annotate({
        description:
          "`linearizable` (default) sees every write answered before; `lease` as well, and a leader with a lease asks " +
          "nobody; `stale` sees what this node has"
      })
    )
  },
  headers: { "if-none-match": Schema.optionalKey(Schema.String) },
  success: HttpApiSchema.WithHeaders(Bytes, etag),
  error: [NotFound, Unavailable]
}).annotate(OpenApi.Summary, "Read a value")

const remove = HttpApiEndpoint.delete("delete", "/kv/:key", {
  params,
  query: { ifMatch },
  headers: { "if-match": conditionHeaders["if-match"] },
  success: Schema.Struct({ deleted: Schema.Boolean }),
  error: writeErrors
}).annotate(OpenApi.Summary, "Remove a key")

/** One member of the cluster. */
export const MemberStatus = Schema.Struct({
  id: Schema.String,
  /** Where its peers reach it. */
  address: Schema.String,
  /**
   * A voter counts to the majority, a learner does not. While one set of voters takes over from another,
   * "joining" are the voters of the new set only, "leaving" those of the old.
   */
  role: Schema.Literals(["voter", "learner", "joining", "leaving"]),
  /** Its HTTP API, where known. */
  http: Schema.NullOr(Schema.String),
  /** Where it listens for native clients, where known. */
  clients: Schema.NullOr(Schema.String)
})

/** What a node is doing. */
export const Status = Schema.Struct({
  clusterId: Schema.String,
  node: Schema.String,
  role: Role,
  term: Schema.Natural,
  leader: Schema.NullOr(Schema.String),
  commit: Schema.Natural,
  applied: Schema.Natural,
  last: Schema.Natural,
  members: Schema.Array(MemberStatus)
}).annotate({ identifier: "Status" })

/** 200: the node serves. */
export const Healthy = Schema.Struct({ status: Schema.tag("ok"), leader: Schema.String })

/** 503: the node does not serve, and why. */
export const Unhealthy = Schema.Struct({
  status: Schema.tag("unavailable"),
  leader: Schema.NullOr(Schema.String),
  reason: Schema.String
}).pipe(HttpApiSchema.status(503))

/** The bytes of a backup (see `Backup` in the core). */
export const backupContentType = "application/vnd.effect-raft.backup"

const status = HttpApiEndpoint.get("status", "/status", { success: Status }).annotate(
  OpenApi.Summary,
  "What this node is doing"
)

const health = HttpApiEndpoint.get("health", "/health", { success: Healthy, error: Unhealthy }).annotate(
  OpenApi.Summary,
  "Whether this node serves"
)

const metrics = HttpApiEndpoint.get("metrics", "/metrics", {
  success: Schema.String.pipe(
    HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })
  )
}).annotate(OpenApi.Summary, "Metrics for Prometheus")

const backup = HttpApiEndpoint.get("backup", "/backup", {
  success: HttpApiSchema.StreamUint8Array({ contentType: backupContentType }),
  error: Unavailable
}).annotate(
  OpenApi.Summary,
  "All keys, values and revisions of one moment, for `effect-raft restore`; one at a time on a node"
)

/** 421: only the leader can do this. `leader` is who that is, `url` its HTTP API, as far as they are known. */
export const NotLeader = failure(421, "NotLeader", "Only the leader can do this; nothing was changed.", {
  outcome: Schema.tag("none"),
  leader: Schema.NullOr(Schema.String),
  url: Schema.NullOr(Schema.String)
})

/** 409: the leader will not do this now, or at all. */
export const OperationRefused = failure(409, "OperationRefused", "Refused; nothing was changed.", {
  outcome: Schema.tag("none"),
  /** Why, in one word: the tag of a `MembershipRejection`, or `TransferFailed`. */
  reason: Schema.String
})

const operationErrors = [NotLeader, OperationRefused, Unavailable, OutcomeUnknown] as const

/** Who belongs to the cluster. */
export const Members = Schema.Struct({ members: Schema.Array(MemberStatus) })

const changeMembership = HttpApiEndpoint.post("changeMembership", "/membership", {
  payload: MembershipChange,
  success: Members,
  error: operationErrors
}).annotate(OpenApi.Summary, "Change who belongs to the cluster; answers when the change is committed")

/** Reading and writing keys. */
export class KeysGroup extends HttpApiGroup.make("keys")
  .add(put, get, remove)
  .middleware(RefuseBadRequests)
  // A misspelt condition must not make a write unconditional.
  .annotate(HttpApi.QueryParseOptions, { onExcessProperty: "error" }) {}

/** Looking at the node, and taking a copy of what it holds. */
export class NodeGroup extends HttpApiGroup.make("node").add(status, health, metrics, backup) {}

const transferLeadership = HttpApiEndpoint.post("transferLeadership", "/leadership", {
  payload: Schema.Struct({
    to: Schema.optionalKey(NodeId.annotate({ description: "Who is to lead; the best voter if left out" }))
  }),
  success: Schema.Struct({ leader: Schema.String }),
  error: operationErrors
}).annotate(OpenApi.Summary, "Hand the leadership over; answers with who leads then")

/** For operators: who belongs to the cluster, and who leads it. */
export class OperatorGroup extends HttpApiGroup.make("operator")
  .add(changeMembership, transferLeadership)
  .middleware(RefuseBadRequests) {}

/** The whole API. */
export class KvApi extends HttpApi.make("effect-raft-kv")
  .add(KeysGroup, NodeGroup, OperatorGroup)
  .annotateMerge(
    OpenApi.annotations({
      title: "effect-raft key-value store",
      version: "1.0.0",
      description:
        "A linearizable key-value store. Any node answers any request. " +
        "Keys stand percent-encoded in the path; slashes may stand as they are.",
      // Where there is a list of ways to log in, also an empty one, the page at /docs offers to.
      transform: (spec) => ({
        ...spec,
        components: { schemas: (spec as OpenApi.OpenAPISpec).components.schemas }
      })
    })
  ) {}
