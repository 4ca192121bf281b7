/**
 * What operators ask of a cluster: whichever nodes they name, it is the leader that is asked. What surely
 * did not happen, and may soon, is tried again; what may have happened is not.
 */
import { KvApi } from "@effect-raft/kv/KvApi"
import type { MemberStatus } from "@effect-raft/kv/KvApi"
import * as KvConnectFailure from "@effect-raft/kv/KvConnectFailure"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import type * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as ClientHttp from "./ClientHttp.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Store from "./Store.ts"

/** A member, as its leader sees it. */
export type Member = typeof MemberStatus.Type

const operatorClient = (httpClient: HttpClient.HttpClient, baseUrl: string) =>
  HttpApiClient.group(KvApi, { group: "operator", httpClient, baseUrl })

/** The part of the API that is for operators, at one node. */
export type OperatorClient = Effect.Success<ReturnType<typeof operatorClient>>

/** How long one request may take before it counts as lost; nodes answer sooner. */
const attemptMillis = 30_000

/** Between two attempts, and between two looks at the members. */
const pauseMillis = 200

/** It did not happen; `again` tells whether it may later. */
class Refusal extends Data.TaggedError("Refusal")<{
  readonly message: string
  readonly reason: string
  readonly again: boolean
}> {}

/** What goes away by itself, and soon. */
const passing: ReadonlySet<string> = new Set(["NothingCommittedYet", "ChangeInFlight", "TransferInProgress"])

export interface Options {
  /** Refusals that are waited out as well, for who knows that they pass. */
  readonly waitingOut?: ReadonlyArray<string>
  /** How a user learns what became of a request whose answer was lost. */
  readonly lookAt: string
}

/** Carries out `operation` at the leader. */
export const atLeader = <A>(
  nodes: Required<Store.Nodes>,
  operation: (client: OperatorClient) => Effect.Effect<A, OperationFailure>,
  { lookAt, waitingOut = [] }: Options
): Effect.Effect<A, ExitCode.CommandFailed> => {
  const attempt = Effect.gen(function* () {
    const url = yield* findLeader(nodes.endpoints)
    const client = yield* operatorClient(yield* HttpClient.HttpClient, url)
    return yield* operation(client).pipe(
      Effect.mapError((error) => understand(error, url, lookAt)),
      Effect.timeoutOrElse({
        duration: attemptMillis,
        orElse: () => Effect.fail(unknown(`${url} did not answer within ${attemptMillis} ms`, lookAt))
      })
    )
  })
  return attempt.pipe(
    Effect.retry({
      while: (error) => error._tag === "Refusal" && (error.again || waitingOut.includes(error.reason)),
      schedule: Schedule.spaced(pauseMillis).pipe(Schedule.upTo({ duration: nodes.timeoutMillis }))
    }),
    Effect.mapError((error) => (error._tag === "Refusal" ? toFailure(error) : error)),
    Effect.provide(ClientHttp.layer(nodes.tls))
  )
}

/** What an operation may fail with: as the API says, or because nothing was heard. */
type OperationFailure = Effect.Error<ReturnType<OperatorClient["changeMembership"]>>

const understand = (
  error: OperationFailure,
  url: string,
  lookAt: string
): Refusal | ExitCode.CommandFailed => {
  if ("error" in error) {
    switch (error.error) {
      case "OutcomeUnknown":
        return unknown(error.message, lookAt)
      case "OperationRefused":
        return new Refusal({ message: error.message, reason: error.reason, again: passing.has(error.reason) })
      case "NotLeader":
      case "Unavailable":
        return new Refusal({ message: error.message, reason: error.error, again: true })
      case "BadRequest":
        return ExitCode.misuse(error.message)
    }
  }
  if (error._tag !== "HttpClientError") return unknown(`${url} answered what is not understood`, lookAt)
  const detail = `${url}: ${KvConnectFailure.describe(error)}`
  return KvConnectFailure.neverConnected(error)
    ? new Refusal({ message: detail, reason: "Unreachable", again: true })
    : unknown(detail, lookAt)
}

const unknown = (detail: string, lookAt: string) =>
  new ExitCode.CommandFailed({
    message: `Whether it happened is not known: ${detail}. Look at \`${lookAt}\` before you try again`,
    exitCode: ExitCode.outcomeUnknown
  })

const toFailure = ({ again, message }: Refusal) =>
  new ExitCode.CommandFailed({ message, exitCode: again ? ExitCode.unavailable : ExitCode.failed })

// --- who leads, who belongs -----------------------------------------------------------------------------

/** The URL of the leader, as the first of these nodes knows it that knows one. */
const findLeader = (
  endpoints: ReadonlyArray<string>
): Effect.Effect<string, Refusal, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const problems: Array<string> = []
    for (const endpoint of endpoints) {
      const told = yield* Effect.result(Store.ask(endpoint))
      if (told._tag === "Failure") {
        problems.push(`${endpoint}: ${told.failure}`)
        continue
      }
      const { leader, members, node } = told.success
      if (leader === node) return endpoint
      const url = members.find(({ id }) => id === leader)?.http
      if (typeof url === "string") return url
      problems.push(
        leader === null ? `${endpoint} knows of no leader` : `${endpoint} does not know the URL of ${leader}`
      )
    }
    return yield* new Refusal({
      message: `No leader was found: ${problems.join("; ")}`,
      reason: "NoLeader",
      again: true
    })
  })

/** Who belongs to the cluster, as the leader has it, and who that is. */
export const look = (nodes: Required<Store.Nodes>): Effect.Effect<Store.NodeStatus, ExitCode.CommandFailed> =>
  Effect.flatMap(findLeader(nodes.endpoints), (url) =>
    Effect.mapError(
      Store.ask(url),
      (detail) => new Refusal({ message: `${url}: ${detail}`, reason: "Unreachable", again: true })
    )
  ).pipe(
    Effect.retry(Schedule.spaced(pauseMillis).pipe(Schedule.upTo({ duration: nodes.timeoutMillis }))),
    Effect.mapError(toFailure),
    Effect.provide(ClientHttp.layer(nodes.tls))
  )

/** Looks at the members until they are as wanted; nothing, if they are not within the timeout. */
export const waitFor = (
  nodes: Required<Store.Nodes>,
  isWanted: (members: ReadonlyArray<Member>) => boolean
): Effect.Effect<Option.Option<Store.NodeStatus>, ExitCode.CommandFailed> =>
  look(nodes).pipe(
    Effect.repeat({
      until: ({ members }) => isWanted(members),
      schedule: Schedule.spaced(pauseMillis)
    }),
    Effect.timeoutOption(nodes.timeoutMillis)
  )
