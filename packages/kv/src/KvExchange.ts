/**
 * One request to one node, and what its answer means for trying again.
 *
 * Everything that is not a value ends as a {@link Setback}. Whether one may be tried again depends on
 * what is known of the write: it never left, or the node said that it did not happen, is safe; silence
 * is not. A read is always safe.
 */
import type { Consistency } from "@effect-raft/core/Raft"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as Term from "@effect-raft/core/Term"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Entry } from "./Kv.ts"
import * as KvApi from "./KvApi.ts"
import type { KvCommand, KvReply } from "./KvCommand.ts"
import { Revision } from "./KvCommand.ts"
import { describe, neverConnected } from "./KvConnectFailure.ts"
import * as KvError from "./KvError.ts"

/** Why an attempt gave no value. */
export class Setback extends Data.TaggedError("Setback")<{
  readonly error: KvError.KvError
  /** Whether another attempt cannot do harm and may help. */
  readonly again: boolean
}> {}

/** What a node answered, and whom it named as leader. */
export interface Answer<A> {
  readonly value: A
  readonly leader: string | undefined
}

/** An operation, ready to be sent to any node. */
export interface Exchange<A> {
  readonly isWrite: boolean
  readonly send: (client: HttpClient, endpoint: string) => Effect.Effect<Answer<A>, Setback>
}

const urlOf = (endpoint: string, key: string): string => `${endpoint}/kv/${encodeURIComponent(key)}`

/** Reads a key. */
export const read = (key: string, consistency: Consistency): Exchange<Option.Option<Entry>> => ({
  isWrite: false,
  send: (client, endpoint) =>
    exchange(
      client,
      HttpClientRequest.get(urlOf(endpoint, key), { urlParams: { consistency } }),
      (response) => {
        switch (response.status) {
          case 200:
            return entryOf(response)
          case 404:
            return Effect.map(decoded(response, decodeNotFound), () => Option.none())
          default:
            return Effect.flatMap(decoded(response, decodeFailure), refused)
        }
      }
    ).pipe(
      // What became of a read is never in doubt: nothing.
      Effect.mapError((trouble) =>
        trouble._tag === "Setback"
          ? trouble
          : new Setback({ error: unavailable(`${endpoint}: ${trouble.detail}`), again: true })
      )
    )
})

/** Carries out a write. */
export const write = (command: KvCommand): Exchange<KvReply> => ({
  isWrite: true,
  send: (client, endpoint) =>
    exchange(client, requestOf(endpoint, command), (response) =>
      response.status === 200
        ? decoded(response, command._tag === "Put" ? decodeWritten : decodeDeleted)
        : Effect.flatMap(decoded(response, decodeFailure), (failure) =>
            failure.error === "ConditionFailed"
              ? Effect.succeed<KvReply>({ _tag: "ConditionFailed", revision: failure.revision })
              : refused(failure)
          )
    ).pipe(
      Effect.mapError((trouble) => {
        if (trouble._tag === "Setback") return trouble
        const detail = `${endpoint}: ${trouble.detail}`
        return trouble.sent
          ? new Setback({ error: outcomeUnknown(detail), again: false })
          : new Setback({ error: unavailable(detail), again: true })
      })
    )
})

/** No answer, or one that this API does not give. `sent` tells whether the request may have arrived. */
class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly detail: string; readonly sent: boolean }> {}

const exchange = <A>(
  client: HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  understand: (response: HttpClientResponse) => Effect.Effect<A, Setback | NoAnswer>
): Effect.Effect<Answer<A>, Setback | NoAnswer> =>
  client.execute(request).pipe(
    Effect.mapError((error) => new NoAnswer({ detail: describe(error), sent: !neverConnected(error) })),
    Effect.flatMap((response) =>
      Effect.map(understand(response), (value) => ({ value, leader: response.headers["raft-leader"] }))
    )
  )

const requestOf = (endpoint: string, command: KvCommand): HttpClientRequest.HttpClientRequest => {
  const url = urlOf(endpoint, command.key)
  const urlParams = conditionParams(command)
  return command._tag === "Put"
    ? HttpClientRequest.put(url, { urlParams }).pipe(
        HttpClientRequest.bodyUint8Array(command.value, "application/octet-stream")
      )
    : HttpClientRequest.delete(url, { urlParams })
}

const conditionParams = ({ condition }: KvCommand): Record<string, string> => {
  if (condition === undefined) return {}
  return condition._tag === "IfAbsent" ? { ifAbsent: "true" } : { ifMatch: String(condition.revision) }
}

const decodeNotFound = Schema.decodeUnknownEffect(KvApi.NotFound)
const Failure = Schema.Union([KvApi.WriteFailure, KvApi.ClientRefused])
const decodeFailure = Schema.decodeUnknownEffect(Failure)
const decodeWritten = (json: unknown) =>
  Effect.map(decodeRevision(json), ({ revision }): KvReply => ({ _tag: "Written", revision }))
const decodeDeleted = (json: unknown) =>
  Effect.map(decodeDeletion(json), ({ deleted }): KvReply => ({ _tag: "Deleted", deleted }))
const decodeRevision = Schema.decodeUnknownEffect(Schema.Struct({ revision: Revision }))
const decodeDeletion = Schema.decodeUnknownEffect(Schema.Struct({ deleted: Schema.Boolean }))

const decoded = <A>(
  response: HttpClientResponse,
  decode: (json: unknown) => Effect.Effect<A, Schema.SchemaError>
): Effect.Effect<A, NoAnswer> =>
  Effect.mapError(
    Effect.flatMap(response.json, decode),
    () => new NoAnswer({ detail: `answered ${response.status} with what is not of this API`, sent: true })
  )

const entryOf = (response: HttpClientResponse): Effect.Effect<Option.Option<Entry>, NoAnswer> => {
  const revision = /^"([1-9][0-9]{0,15})"$/.exec(response.headers["etag"] ?? "")?.[1]
  if (revision === undefined) {
    return Effect.fail(new NoAnswer({ detail: "answered 200 without the ETag of a revision", sent: true }))
  }
  return response.arrayBuffer.pipe(
    Effect.map((buffer) => Option.some({ value: new Uint8Array(buffer), revision: Number(revision) })),
    Effect.mapError((error) => new NoAnswer({ detail: describe(error), sent: true }))
  )
}

/** The node understood and said no; it says itself what became of the request. */
const refused = (failure: typeof Failure.Type): Effect.Effect<never, Setback> => {
  switch (failure.error) {
    case "BadRequest":
      return failure.in === "key"
        ? setback(new KvError.KeyInvalid({ detail: failure.message }), false)
        : setback(new KvError.Unavailable({ detail: `the node refused: ${failure.message}` }), false)
    case "ValueTooLarge":
      return setback(
        new KvError.ValueTooLarge({ bytes: failure.sizeBytes, maxBytes: failure.limitBytes }),
        false
      )
    case "ClientRefused":
      return setback(new KvError.Unavailable({ detail: failure.message }), false)
    case "Unavailable":
      return setback(new KvError.Unavailable({ detail: failure.message }), true)
    case "OutcomeUnknown":
      return Effect.fail(
        new Setback({ error: outcomeUnknown(failure.message, failure.index, failure.term), again: false })
      )
    case "ConditionFailed":
      return setback(
        new KvError.Unavailable({ detail: "the node judged a condition nobody asked for" }),
        false
      )
  }
}

const setback = (reason: KvError.KvErrorReason, again: boolean): Effect.Effect<never, Setback> =>
  Effect.fail(new Setback({ error: KvError.because(reason), again }))

const unavailable = (detail: string): KvError.KvError => KvError.because(new KvError.Unavailable({ detail }))

const outcomeUnknown = (detail: string, index?: number, term?: number): KvError.KvError =>
  KvError.because(
    new KvError.OutcomeUnknown({
      detail,
      ...(index === undefined ? {} : { index: LogIndex.LogIndex.make(index) }),
      ...(term === undefined ? {} : { term: Term.Term.make(term) })
    })
  )
