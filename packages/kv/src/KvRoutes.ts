/**
 * What the router cannot say about paths.
 *
 * A key may hold anything, slashes and percent signs too, so everything after `/kv/` is the key. Before
 * the router looks, the key is decoded, checked and written back as one segment. After it found
 * nothing, the answer is JSON: 405 where the path exists with another method, 404 where it does not.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as KvKey from "./KvKey.ts"

/** What the router must be told so that every key reaches the routes. */
export const routerConfig = {
  maxParamLength: KvKey.maxKeyBytes,
  caseSensitive: true,
  ignoreDuplicateSlashes: false
} as const

const keysPrefix = "/kv/"

const allowedOn: ReadonlyArray<readonly [path: RegExp, allow: string]> = [
  [/^\/kv\/./s, "GET, HEAD, PUT, DELETE"],
  [/^\/(status|health|metrics|backup|openapi\.json|docs)$/, "GET, HEAD"],
  [/^\/(membership|leadership)$/, "POST"]
]

/** Answers to what no route answers. */
export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter> = HttpRouter.middleware(
  (handle) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const url = canonicalUrl(request.url)
      if (typeof url === "object") return Effect.succeed(url.refused)
      const routed =
        url === request.url
          ? handle
          : Effect.provideService(handle, HttpServerRequest.HttpServerRequest, request.modify({ url }))
      return Effect.catch(routed, (error) =>
        isRouteNotFound(error) ? Effect.succeed(notRouted(request)) : Effect.fail(error)
      )
    }),
  { global: true }
)

const canonicalUrl = (url: string): string | { readonly refused: HttpServerResponse.HttpServerResponse } => {
  const pathEnd = url.search(/[?#]|$/)
  if (url.startsWith(keysPrefix)) {
    const raw = url.slice(keysPrefix.length, pathEnd)
    const key = decode(raw)
    if (key === undefined) return { refused: badKey(`"${raw}" is not percent-encoded UTF-8`) }
    const problem = KvKey.problemWith(key)
    if (problem !== undefined) return { refused: badKey(problem) }
    return keysPrefix + encodeURIComponent(key) + url.slice(pathEnd)
  }
  return url.slice(0, pathEnd) === "/kv" ? { refused: badKey("a key must not be empty") } : url
}

const decode = (raw: string): string | undefined => {
  try {
    return decodeURIComponent(raw)
  } catch {
    return undefined
  }
}

const isRouteNotFound = (error: unknown): boolean =>
  error instanceof HttpServerError && error.reason._tag === "RouteNotFound"

const badKey = (message: string) =>
  HttpServerResponse.jsonUnsafe({ error: "BadRequest", message, in: "key" }, { status: 400 })

const notRouted = ({ method, url }: HttpServerRequest.HttpServerRequest) => {
  const path = url.slice(0, url.search(/[?#]|$/))
  const allow = allowedOn.find(([pattern]) => pattern.test(path))?.[1]
  return allow === undefined
    ? HttpServerResponse.jsonUnsafe(
        { error: "NoSuchPath", message: `There is nothing at ${path}; /docs tells what there is` },
        { status: 404 }
      )
    : HttpServerResponse.jsonUnsafe(
        { error: "MethodNotAllowed", message: `${path} takes ${allow}, not ${method}` },
        { status: 405, headers: { allow } }
      )
}
