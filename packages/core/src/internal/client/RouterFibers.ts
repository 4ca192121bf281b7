/**
 * The fibers of a router: they wait, and the router decides.
 *
 * | fiber | lives as long as | waits for |
 * | --- | --- | --- |
 * | seeker | the router | calls without a connection, a connection, a pause |
 * | link | a connection | its end |
 * | sweeper | the router | a tick, while there are calls |
 * | second opinion | a router that seeks the leader | a while, while there are calls |
 * | question | its answer, or the connection if that is used then | another node's word |
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { ConnectFailed } from "../../RaftClientTransport.ts"
import { Link } from "./Link.ts"
import { Router, ticksOfCall } from "./Router.ts"
import type { Settings } from "./Router.ts"
import * as SecondOpinion from "./SecondOpinion.ts"

/** Starts a router, which ends with the scope, and every call with it. */
export const make = (settings: Settings): Effect.Effect<Router, never, Scope.Scope> =>
  Effect.gen(function* () {
    const router = new Router(settings)
    const links = yield* FiberSet.make<void>()
    yield* Effect.addFinalizer(() => Effect.sync(() => router.close()))
    const seekOnce = Effect.gen(function* () {
      yield* router.wanted.await
      const pauseMillis = router.pauseMillis(yield* Random.next)
      if (pauseMillis > 0) yield* Effect.sleep(pauseMillis)
      const connected = Deferred.makeUnsafe<void>()
      yield* FiberSet.run(links, hold(router, settings, connected))
      yield* Deferred.await(connected)
    })
    yield* Effect.forever(seekOnce).pipe(Effect.annotateLogs({ fiber: "client seeker" }), Effect.forkScoped)

    const tickMillis = Math.max(1, Math.ceil(settings.timeoutMillis / ticksOfCall))
    const sweepOnce = Effect.gen(function* () {
      yield* router.busy.await
      yield* Effect.sleep(tickMillis)
      router.sweep()
    })
    yield* Effect.forever(sweepOnce).pipe(Effect.annotateLogs({ fiber: "client sweeper" }), Effect.forkScoped)
    if (settings.seeksLeader) {
      yield* SecondOpinion.watch(router, links, settings).pipe(
        Effect.annotateLogs({ fiber: "client second opinion" }),
        Effect.forkScoped
      )
    }
    return router
  })

/** Connects to the next node, and stays with the connection until its end. */
const hold = (router: Router, settings: Settings, connected: Deferred.Deferred<void>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const endpoint = router.nextEndpoint()
    const link = new Link(endpoint, router)
    const { clusterId, connectTimeoutMillis, groupId, transport } = settings
    const connection = yield* transport.connect({ endpoint, clusterId, groupId, handler: link }).pipe(
      Effect.timeoutOrElse({
        duration: connectTimeoutMillis,
        orElse: () => Effect.fail(noAnswerFrom(endpoint, connectTimeoutMillis))
      })
    )
    if (link.open(connection)) router.use(link, connection.welcome.leaderAt)
    Deferred.doneUnsafe(connected, Effect.void)
    yield* link.ended
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => router.cannotConnect(error))),
    Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(connected, Effect.void)))
  )

const noAnswerFrom = (endpoint: string, millis: number): ConnectFailed =>
  new ConnectFailed({ endpoint, detail: `no answer within ${millis} ms`, isRefusal: false })
