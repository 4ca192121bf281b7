/**
 * The handlers of `/kv/{key}`.
 *
 * One plain fiber per request. Bodies are read as bytes whatever their content type says, and no
 * further than the largest value that is taken.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type { HttpServerError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PutOptions } from "./Kv.ts"
import { Kv } from "./Kv.ts"
import * as KvApi from "./KvApi.ts"
import * as KvBadRequests from "./KvBadRequests.ts"
import * as KvFailure from "./KvFailure.ts"
import { KvMachine } from "./KvMachine.ts"
import * as KvMetrics from "./KvMetrics.ts"

/** Names the leader's URL, where it is another node and known. */
export const leaderHeader = "raft-leader"

const etagOf = (revision: number): string => `"${revision}"`

const handlers = HttpApiBuilder.group(
  KvApi.KvApi,
  "keys",
  Effect.fnUntraced(function* (handlers) {
    const kv = yield* Kv
    const { nodeId } = yield* KvMachine.Raft
    const observingGet = KvMetrics.observing(nodeId, "get")
    const observingPut = KvMetrics.observing(nodeId, "put")
    const observingDelete = KvMetrics.observing(nodeId, "delete")

    return handlers
      .handle("get", ({ headers, params: { key }, query }) =>
        kv.get(key, query).pipe(
          Effect.mapError(KvFailure.ofRead),
          Effect.flatMap(
            Option.match({
              onNone: () => Effect.fail(noValue(key)),
              onSome: ({ revision, value }) =>
                Effect.succeed(found(value, revision, headers["if-none-match"]))
            })
          ),
          observingGet
        )
      )
      .handleRaw("put", ({ headers, params: { key }, query, request }) =>
        Effect.gen(function* () {
          const condition = yield* conditionOf(query, headers)
          const value = yield* bodyOf(request, kv.maxValueBytes)
          const revision = yield* Effect.mapError(kv.put(key, value, condition), KvFailure.ofWrite)
          return HttpApiSchema.withHeaders({ body: { revision }, headers: { etag: etagOf(revision) } })
        }).pipe(observingPut)
      )
      .handle("delete", ({ headers, params: { key }, query }) =>
        Effect.gen(function* () {
          const { ifMatch } = yield* conditionOf(query, headers)
          const options = ifMatch === undefined ? {} : { ifMatch }
          const deleted = yield* Effect.mapError(kv.delete(key, options), KvFailure.ofWrite)
          return { deleted }
        }).pipe(observingDelete)
      )
  })
)

/** The handlers, ready for `HttpApiBuilder.layer`. */
export const layer = Layer.provide(handlers, KvBadRequests.layer)

const noValue = (key: string): typeof KvApi.NotFound.Type => ({
  error: "NotFound",
  message: `${JSON.stringify(key)} has no value`,
  key
})

const found = (value: Uint8Array, revision: number, ifNoneMatch: string | undefined) => {
  const etag = etagOf(revision)
  return ifNoneMatch === etag
    ? HttpServerResponse.empty({ status: 304, headers: { etag } })
    : HttpApiSchema.withHeaders({ body: value, headers: { etag } })
}

/** The condition of a write, from the query or, in HTTP's own words, from the headers. */
const conditionOf = (
  query: { readonly ifMatch?: number; readonly ifAbsent?: "true" | "false" },
  headers: { readonly "if-match"?: string; readonly "if-none-match"?: string }
): Effect.Effect<PutOptions, typeof KvApi.BadRequest.Type> => {
  const ifMatch = headers["if-match"]
  const ifNoneMatch = headers["if-none-match"]
  const given = [query.ifMatch, query.ifAbsent, ifMatch, ifNoneMatch].filter((part) => part !== undefined)
  if (given.length > 1) {
    return Effect.fail(KvFailure.badRequest("headers", "more than one condition; a write takes one"))
  }
  if (ifNoneMatch !== undefined) {
    return ifNoneMatch.trim() === "*"
      ? Effect.succeed({ ifAbsent: true })
      : Effect.fail(KvFailure.badRequest("headers", 'If-None-Match of a write must be "*"'))
  }
  if (ifMatch !== undefined) {
    const revision = /^"([1-9][0-9]{0,15})"$/.exec(ifMatch.trim())?.[1]
    return revision === undefined
      ? Effect.fail(KvFailure.badRequest("headers", `If-Match must be one ETag such as "17", not ${ifMatch}`))
      : Effect.succeed({ ifMatch: Number(revision) })
  }
  if (query.ifAbsent === "true") return Effect.succeed({ ifAbsent: true })
  return Effect.succeed(query.ifMatch === undefined ? {} : { ifMatch: query.ifMatch })
}

const bodyOf = (
  request: HttpServerRequest,
  maxBytes: number
): Effect.Effect<Uint8Array, typeof KvApi.ValueTooLarge.Type | typeof KvApi.BadRequest.Type> => {
  const announcedBytes = Number(request.headers["content-length"])
  // Known from the headers: not a byte of the body is read.
  if (announcedBytes > maxBytes) return Effect.fail(KvFailure.valueTooLarge(announcedBytes, maxBytes))
  return request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes)),
    Effect.mapBoth({
      onSuccess: (buffer) => new Uint8Array(buffer),
      onFailure: (error) =>
        isTooLarge(error)
          ? KvFailure.valueTooLarge(maxBytes + 1, maxBytes)
          : KvFailure.badRequest("body", "the body could not be read to its end")
    })
  )
}

const isTooLarge = ({ reason }: HttpServerError): boolean =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
