/**
 * Turns what the schemas of the API refuse into an answer that says which part of the request is wrong.
 */
import * as Effect from "effect/Effect"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as KvApi from "./KvApi.ts"
import * as KvFailure from "./KvFailure.ts"

export const layer = HttpApiMiddleware.layerSchemaErrorTransform(KvApi.RefuseBadRequests, (error) => {
  const message = error.cause.message.replaceAll(/\s*\n\s*/g, " ")
  switch (error.kind) {
    case "Params":
      return Effect.fail(KvFailure.badRequest("key", message))
    case "Query":
      return Effect.fail(KvFailure.badRequest("query", message))
    case "Headers":
      return Effect.fail(KvFailure.badRequest("headers", message))
    case "Payload":
      return Effect.fail(KvFailure.badRequest("body", message))
    // An answer that does not fit its own schema is our mistake, not the client's.
    case "Body":
    case "ResponseHeaders":
      return Effect.fail(error)
  }
})
