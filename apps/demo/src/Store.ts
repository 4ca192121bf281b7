/**
 * The store as the commands see it: over HTTP, through one node or whichever of several answers, with
 * failures that carry the exit code of their kind.
 */
import { Kv } from "@effect-raft/kv/Kv"
import { Status } from "@effect-raft/kv/KvApi"
import * as KvClient from "@effect-raft/kv/KvClient"
import type { EndpointsInvalid } from "@effect-raft/kv/KvEndpoints"
import type { KvError } from "@effect-raft/kv/KvError"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as ExitCode from "./ExitCode.ts"

/** What a node says of itself. */
export type NodeStatus = typeof Status.Type

/** Which nodes are asked, and for how long; the client's own default where that is left out. */
export interface Nodes {
  readonly endpoints: ReadonlyArray<string>
  readonly timeoutMillis?: number
}

/** Uses the store through these nodes. */
export const use = <A>(
  { endpoints, timeoutMillis }: Nodes,
  f: (kv: Kv["Service"]) => Effect.Effect<A, KvError>
): Effect.Effect<A, ExitCode.CommandFailed> =>
  Kv.use(f).pipe(
    Effect.provide(
      KvClient.layer({ endpoints, ...(timeoutMillis === undefined ? {} : { timeoutMillis }) }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    ),
    Effect.mapError(commandFailed)
  )

const commandFailed = (error: KvError | EndpointsInvalid): ExitCode.CommandFailed =>
  error._tag === "KvError"
    ? new ExitCode.CommandFailed({ message: error.message, exitCode: exitCodes[error.reason._tag] })
    : ExitCode.misuse(error.message)

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
  HttpClient.get(new URL("/status", url)).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Status)),
    Effect.timeout(statusMillis),
    Effect.provide(FetchHttpClient.layer),
    Effect.catch(() => Effect.succeed(undefined))
  )
