/**
 * The store as the commands see it: over HTTP or the native protocol, through one node or whichever of several
 * answers, with failures that carry the exit code of their kind.
 */
import { Kv } from "@effect-raft/kv/Kv"
import { ClientRefused, Status } from "@effect-raft/kv/KvApi"
import * as KvClient from "@effect-raft/kv/KvClient"
import * as KvConnectFailure from "@effect-raft/kv/KvConnectFailure"
import type { EndpointsInvalid } from "@effect-raft/kv/KvEndpoints"
import type { KvError } from "@effect-raft/kv/KvError"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as ClientHttp from "./ClientHttp.ts"
import * as ExitCode from "./ExitCode.ts"
import * as NativeAddress from "./NativeAddress.ts"
import * as NativeEndpoint from "./NativeEndpoint.ts"
import type * as TlsFlags from "./TlsFlags.ts"

/** What a node says of itself. */
export type NodeStatus = typeof Status.Type

/** Which nodes are asked, and for how long; the client's own default where that is left out. */
export interface Nodes {
  readonly endpoints: ReadonlyArray<string>
  readonly timeoutMillis?: number
  /** The flags that name this client's certificate. */
  readonly tls?: TlsFlags.Flags
}

/** Uses the store through these nodes. */
export const use = <A>(
  { endpoints, timeoutMillis, tls }: Nodes,
  f: (kv: Kv["Service"]) => Effect.Effect<A, KvError>
): Effect.Effect<A, ExitCode.CommandFailed> =>
  Kv.use(f).pipe(
    Effect.provide(
      endpoints.every(NativeAddress.is)
        ? NativeEndpoint.layer({ endpoints, timeoutMillis, tls })
        : KvClient.layer({ endpoints, ...(timeoutMillis === undefined ? {} : { timeoutMillis }) }).pipe(
            Layer.provide(ClientHttp.layer(tls))
          )
    ),
    Effect.mapError(commandFailed)
  )

const commandFailed = (
  error: KvError | EndpointsInvalid | ExitCode.CommandFailed
): ExitCode.CommandFailed => {
  switch (error._tag) {
    case "CommandFailed":
      return error
    case "EndpointsInvalid":
      return ExitCode.misuse(error.message)
    case "KvError":
      return new ExitCode.CommandFailed({ message: error.message, exitCode: exitCodes[error.reason._tag] })
  }
}

const exitCodes: Readonly<Record<KvError["reason"]["_tag"], number>> = {
  ConditionFailed: ExitCode.failed,
  KeyInvalid: ExitCode.usage,
  ValueTooLarge: ExitCode.usage,
  Unavailable: ExitCode.unavailable,
  OutcomeUnknown: ExitCode.outcomeUnknown
}

/** How long a node may take to say how it is. */
const statusMillis = 1_000

/** What the node at this URL says of itself, or nothing if it does not answer. */
export const status = (url: string): Effect.Effect<NodeStatus | undefined> =>
  Effect.provide(
    Effect.orElseSucceed(ask(url), () => undefined),
    FetchHttpClient.layer
  )

/** As {@link status}, over whichever client there is; fails with the reason why there is no answer. */
export const ask = (url: string): Effect.Effect<NodeStatus, string, HttpClient.HttpClient> =>
  HttpClient.get(new URL("/status", url)).pipe(
    Effect.flatMap(understand),
    Effect.timeoutOrElse({
      duration: statusMillis,
      orElse: () => Effect.fail(`no answer within ${statusMillis} ms`)
    }),
    Effect.mapError((error) => {
      if (typeof error === "string") return error
      return error._tag === "SchemaError"
        ? "what answers there is no node of this version"
        : KvConnectFailure.describe(error)
    })
  )

const understand = (response: HttpClientResponse.HttpClientResponse) =>
  response.status === 200
    ? HttpClientResponse.schemaBodyJson(Status)(response)
    : Effect.flatMap(HttpClientResponse.schemaBodyJson(ClientRefused)(response), ({ message }) =>
        Effect.fail(message)
      )

/** How long a node may take to begin a backup, and between two pieces of it, in milliseconds. */
const firstPieceMillis = 5_000
const nextPieceMillis = 60_000

/** The bytes of a backup, from the first of these nodes that can begin one. */
export const backup = ({ endpoints, timeoutMillis = 10_000, tls }: Nodes) =>
  Effect.firstSuccessOf(endpoints.map(beginBackup)).pipe(
    Effect.retry({
      while: (error) => error.exitCode === ExitCode.unavailable,
      schedule: Schedule.spaced(250).pipe(Schedule.upTo({ duration: timeoutMillis }))
    }),
    Effect.provide(ClientHttp.layer(tls))
  )

const beginBackup = Effect.fnUntraced(function* (endpoint: string) {
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const response = yield* client.get(new URL("/backup", endpoint)).pipe(
    Effect.timeout(firstPieceMillis),
    Effect.mapError((error) =>
      cannotBegin(endpoint, error._tag === "TimeoutError" ? "no answer" : KvConnectFailure.describe(error))
    )
  )
  if (response.status !== 200) return yield* refusal(endpoint, response)
  return response.stream.pipe(
    Stream.mapError((error) => brokenOff(endpoint, error.message)),
    Stream.timeoutOrElse({
      duration: nextPieceMillis,
      orElse: () => Stream.fail(brokenOff(endpoint, `nothing came for ${nextPieceMillis / 1_000} s`))
    })
  )
})

/** Another attempt may help where the node said so; it does not where this is no such node. */
const refusal = (endpoint: string, response: HttpClientResponse.HttpClientResponse) =>
  response.status === 503
    ? HttpClientResponse.schemaBodyJson(Refusal)(response).pipe(
        Effect.orElseSucceed(() => ({ message: "it cannot serve now" })),
        Effect.flatMap(({ message }) => Effect.fail(cannotBegin(endpoint, message)))
      )
    : Effect.fail(
        ExitCode.fail(`${endpoint} answered ${response.status} to GET /backup; is it a node of this version?`)
      )

const Refusal = Schema.Struct({ message: Schema.String })

const cannotBegin = (endpoint: string, detail: string) =>
  new ExitCode.CommandFailed({
    message: `No node can begin a backup: ${endpoint}: ${detail}`,
    exitCode: ExitCode.unavailable
  })

const brokenOff = (endpoint: string, detail: string) =>
  ExitCode.fail(`The backup from ${endpoint} broke off: ${detail}; nothing was kept. Try again`)
