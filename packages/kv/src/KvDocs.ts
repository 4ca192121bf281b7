/**
 * The page at `/docs`, which shows the API and lets one try it.
 *
 * Its scripts are two megabytes, so they are not in the memory of a node whose page nobody looks at. Of the
 * two pages Effect ships this one loads nothing from elsewhere.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiSwagger from "effect/http-api/HttpApiSwagger"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { KvApi } from "./KvApi.ts"

const path = "/docs"

/** Adds the page to the router. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const page = yield* HttpRouter.toHttpEffect(HttpApiSwagger.layer(KvApi, { path })).pipe(
      Scope.provide(scope),
      Effect.cached
    )
    return HttpRouter.add("GET", path, Effect.flatten(page))
  })
)

/** Shows the page to whoever opens the node's address in a browser. */
export const layerAtRoot = HttpRouter.add("GET", "/", Effect.succeed(HttpServerResponse.redirect(path)))
