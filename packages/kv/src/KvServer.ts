/**
 * The key-value service over HTTP: the routes of `KvApi`, its OpenAPI document and the page at `/docs`.
 *
 * Any node answers any request: writes are passed on to the leader by the node, reads are confirmed
 * with it. Where the leader is another node and its URL is known, the answer names it in the header
 * `raft-leader`, so that a client can save the detour.
 *
 * ```ts
 * KvServer.layer({ url: "http://127.0.0.1:7101" }).pipe(
 *   Layer.provide(Kv.layer),
 *   Layer.provide(Raft.layer(KvMachine, { ... })),
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 7101 }))
 * )
 * ```
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import { KvApi } from "./KvApi.ts"
import * as KvDocs from "./KvDocs.ts"
import * as KvKeysHandlers from "./KvKeysHandlers.ts"
import * as KvMembers from "./KvMembers.ts"
import { KvMachine } from "./KvMachine.ts"
import * as KvNodeHandlers from "./KvNodeHandlers.ts"
import * as KvOperatorHandlers from "./KvOperatorHandlers.ts"
import * as KvRoutes from "./KvRoutes.ts"

/** Settings of the HTTP service. */
export interface Options {
  /** Where clients reach this node's HTTP API, as `/status` tells it. */
  readonly url?: string
}

/**
 * The routes, for an app that serves others beside them. Serve them with {@link routerConfig}, or keys
 * of more than 100 characters find no route.
 */
export const routes = (options?: Options) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(KvApi, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide([
        KvKeysHandlers.layer,
        KvNodeHandlers.layer({ url: options?.url ?? null }),
        KvOperatorHandlers.layer({ url: options?.url ?? null })
      ])
    ),
    KvDocs.layer,
    nameLeader,
    KvRoutes.layer
  )

/** What `HttpRouter.serve` must be told to serve {@link routes}. */
export const routerConfig = KvRoutes.routerConfig

/** Serves the key-value API, and nothing else, on the app's `HttpServer`. */
export const layer = (options?: Options) =>
  HttpRouter.serve(Layer.merge(routes(options), KvDocs.layerAtRoot), {
    routerConfig,
    disableLogger: true,
    disableListenLog: true
  })

/** Tells a client where the leader is, when it asked somebody else. */
const nameLeader = HttpRouter.middleware(
  Effect.map(
    KvMachine.Raft,
    (raft) => (handle) =>
      Effect.gen(function* () {
        const { url } = yield* HttpServerRequest.HttpServerRequest
        const response = yield* handle
        if (!url.startsWith("/kv/")) return response
        const { leader } = yield* raft.status
        if (leader === null || leader === raft.nodeId) return response
        const leaderUrl = raft.attributesOf(leader)[KvMembers.httpAttribute]
        return leaderUrl === undefined
          ? response
          : HttpServerResponse.setHeader(response, KvKeysHandlers.leaderHeader, leaderUrl)
      })
  ),
  { global: true }
)
