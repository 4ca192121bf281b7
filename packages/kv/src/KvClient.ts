/**
 * The key-value service over the network: `Kv` on top of the HTTP API.
 *
 * It finds a node that answers, stays with it or goes to the leader, and tries again where that cannot
 * do harm: reads always; writes only where they surely did not happen. A write whose outcome is unknown
 * is not repeated, for the second one might overwrite what another client wrote after the first. It
 * fails with `OutcomeUnknown`, and the caller decides: read and look, or write on a condition.
 *
 * Every call ends within `timeoutMillis`. A write is not begun so late that its answer would be cut off,
 * if it took as long as the slowest so far: that would leave in doubt what surely did not happen yet.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { defaultMaxValueBytes, fromPrimitives, Kv } from "./Kv.ts"
import * as KvEndpoints from "./KvEndpoints.ts"
import * as KvError from "./KvError.ts"
import * as KvExchange from "./KvExchange.ts"
import * as KvRemote from "./KvRemote.ts"

/** Settings of a client. Times are in milliseconds. */
export interface Options {
  /** URLs of the nodes' HTTP APIs, such as `http://127.0.0.1:7101`. */
  readonly endpoints: ReadonlyArray<string>
  /** How long a call takes at most, all attempts together. Default 10,000. */
  readonly timeoutMillis?: number
  /** How long one node is waited for. Longer than its `requestTimeoutMillis` (3,000). Default 5,000. */
  readonly attemptTimeoutMillis?: number
  /** The pause after every node was tried once; it doubles with every round. Default 25. */
  readonly firstPauseMillis?: number
  /** The longest pause between rounds. Default 1,000. */
  readonly maxPauseMillis?: number
  /** The largest value that is sent at all, in bytes. Default: that of a node with default settings. */
  readonly maxValueBytes?: number
}

/** Settings of {@link layerNative}. */
export type NativeOptions = KvRemote.Options

/**
 * `Kv` over the native protocol, which batches what is under way. It wants a transport, such as
 * `TcpClientTransport.layer()`, and the nodes' addresses for clients, such as `127.0.0.1:7201`.
 */
export const layerNative = KvRemote.layer

/** `Kv` on the nodes at `endpoints`, over HTTP. */
export const layer = (
  options: Options
): Layer.Layer<Kv, KvEndpoints.EndpointsInvalid, HttpClient.HttpClient> => Layer.effect(Kv, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const client = yield* HttpClient.HttpClient
  const endpoints = KvEndpoints.make(options.endpoints)
  if (endpoints instanceof KvEndpoints.EndpointsInvalid) return yield* endpoints
  const run = runner({
    client,
    endpoints,
    timeoutMillis: options.timeoutMillis ?? 10_000,
    attemptTimeoutMillis: options.attemptTimeoutMillis ?? 5000,
    firstPauseMillis: options.firstPauseMillis ?? 25,
    maxPauseMillis: options.maxPauseMillis ?? 1000
  })
  return fromPrimitives({
    maxValueBytes: options.maxValueBytes ?? defaultMaxValueBytes,
    read: (key, consistency) => run(KvExchange.read(key, consistency)),
    write: (command, replied) =>
      Effect.flatMap(run(KvExchange.write(command)), (reply) => replied(reply, command))
  })
})

interface Runner {
  readonly client: HttpClient.HttpClient
  readonly endpoints: KvEndpoints.KvEndpoints
  readonly timeoutMillis: number
  readonly attemptTimeoutMillis: number
  readonly firstPauseMillis: number
  readonly maxPauseMillis: number
}

const runner =
  ({ client, endpoints, ...times }: Runner) =>
  <A>(exchange: KvExchange.Exchange<A>): Effect.Effect<A, KvError.KvError> =>
    Effect.flatMap(Clock.currentTimeMillis, (startedMillis) => {
      // What a timeout has to know: whether a write is under way, and what went wrong before.
      let underWay = false
      let last: KvError.KvError | undefined
      let slowestMillis = 0

      const attempt: Effect.Effect<A, KvExchange.Setback> = Effect.gen(function* () {
        const endpoint = endpoints.current()
        const sentMillis = yield* Clock.currentTimeMillis
        underWay = true
        const answer = yield* exchange.send(client, endpoint).pipe(
          Effect.timeoutOrElse({
            duration: times.attemptTimeoutMillis,
            orElse: () => Effect.fail(silence(exchange, endpoint, times.attemptTimeoutMillis))
          }),
          Effect.tapError(({ error }) =>
            Effect.map(Clock.currentTimeMillis, (nowMillis) => {
              underWay = false
              last = error
              slowestMillis = Math.max(slowestMillis, nowMillis - sentMillis)
              if (isNodesFault(error)) endpoints.failed(endpoint, nowMillis)
            })
          )
        )
        endpoints.answered(endpoint, answer.leader, yield* Clock.currentTimeMillis)
        return answer.value
      })

      const attempts = (tried: number): Effect.Effect<A, KvError.KvError> =>
        Effect.catch(attempt, ({ again, error }) =>
          again ? Effect.andThen(pause(tried + 1), retry(tried + 1)) : Effect.fail(error)
        )

      const retry = (tried: number): Effect.Effect<A, KvError.KvError> =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
          exchange.isWrite && nowMillis + slowestMillis > startedMillis + times.timeoutMillis
            ? Effect.fail(outOfTime(false, times.timeoutMillis, last))
            : attempts(tried)
        )

      /** None while there are nodes that were not asked yet; then longer every round. */
      const pause = (tried: number): Effect.Effect<void> => {
        const round = Math.floor(tried / endpoints.size)
        if (round === 0) return Effect.void
        const fullMillis = Math.min(times.maxPauseMillis, times.firstPauseMillis * 2 ** (round - 1))
        // Clients that failed together must not come back together.
        return Effect.flatMap(Random.next, (fraction) => Effect.sleep(fullMillis * (0.5 + fraction / 2)))
      }

      return Effect.timeoutOrElse(attempts(0), {
        duration: times.timeoutMillis,
        orElse: () => Effect.fail(outOfTime(exchange.isWrite && underWay, times.timeoutMillis, last))
      })
    })

const silence = <A>(
  exchange: KvExchange.Exchange<A>,
  endpoint: string,
  millis: number
): KvExchange.Setback => {
  const detail = `${endpoint} did not answer within ${millis} ms`
  return new KvExchange.Setback({
    error: KvError.because(
      exchange.isWrite ? new KvError.OutcomeUnknown({ detail }) : new KvError.Unavailable({ detail })
    ),
    again: !exchange.isWrite
  })
}

const isNodesFault = ({ reason }: KvError.KvError): boolean =>
  reason._tag === "Unavailable" || reason._tag === "OutcomeUnknown"

const wordsOf = ({ message, reason }: KvError.KvError): string =>
  "detail" in reason ? reason.detail : message

const outOfTime = (
  writeUnderWay: boolean,
  millis: number,
  last: KvError.KvError | undefined
): KvError.KvError => {
  const detail = `no answer within ${millis} ms${last === undefined ? "" : `; before: ${wordsOf(last)}`}`
  return KvError.because(
    writeUnderWay ? new KvError.OutcomeUnknown({ detail }) : new KvError.Unavailable({ detail })
  )
}
