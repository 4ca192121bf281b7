/**
 * Requests and answers as parcels. docs/client-protocol.md has the tables.
 *
 * The usual ones cost no more than their header. Failures are rare and say more: they are JSON, with the
 * outcome in the kind, so that a client that does not know the reason yet still knows what became of its call.
 */
import type { ClientAnswer, ClientRequest } from "@effect-raft/core/ClientMessage"
import { NodeId } from "@effect-raft/core/NodeId"
import { OutcomeUnknown, RaftError, RaftErrorReason, Unreachable } from "@effect-raft/core/RaftError"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { MalformedFrame } from "./FrameReader.ts"
import type { Parcel } from "./Parcel.ts"

/** The kinds of requests. A number is never given to another request. */
export const requestKinds = {
  Propose: 1,
  LinearizableQuery: 2,
  StaleQuery: 3,
  OpenSession: 4,
  Session: 5,
  AwaitLeader: 6
} as const

/** The kinds of answers: done, surely not done, perhaps done. */
export const answerKinds = { Done: 1, Refused: 2, InDoubt: 3 } as const

// --- requests -----------------------------------------------------------------------------------------

const nothing = new Uint8Array(0)
const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder()

export const requestToParcel = (request: ClientRequest): Parcel => {
  switch (request._tag) {
    case "Propose":
      return { id: request.id, kind: requestKinds.Propose, bytes: request.command }
    case "Query": {
      const isStale = request.consistency === "stale"
      const kind = isStale ? requestKinds.StaleQuery : requestKinds.LinearizableQuery
      return { id: request.id, kind, bytes: request.query }
    }
    case "OpenSession":
      return { id: request.id, kind: requestKinds.OpenSession, bytes: nothing }
    case "Session":
      return { id: request.id, kind: requestKinds.Session, bytes: request.record }
    case "AwaitLeader":
      return { id: request.id, kind: requestKinds.AwaitLeader, bytes: utf8.encode(request.otherThan) }
  }
}

/** Throws `MalformedFrame` where the kind is none. */
export const requestOf = (id: number, kind: number, bytes: Uint8Array): ClientRequest => {
  switch (kind) {
    case requestKinds.Propose:
      return { _tag: "Propose", id, command: bytes }
    case requestKinds.LinearizableQuery:
      return { _tag: "Query", id, consistency: "linearizable", query: bytes }
    case requestKinds.StaleQuery:
      return { _tag: "Query", id, consistency: "stale", query: bytes }
    case requestKinds.OpenSession:
      return { _tag: "OpenSession", id }
    case requestKinds.Session:
      return { _tag: "Session", id, record: bytes }
    case requestKinds.AwaitLeader:
      return { _tag: "AwaitLeader", id, otherThan: nodeIdOf(bytes) }
    default:
      throw new MalformedFrame({ detail: `a request of kind ${kind}, which there is not` })
  }
}

const isNodeId = Schema.is(NodeId)

const nodeIdOf = (bytes: Uint8Array): NodeId => {
  const name = fromUtf8.decode(bytes)
  if (!isNodeId(name)) throw new MalformedFrame({ detail: "the name of a node that is none" })
  return name
}

// --- answers ------------------------------------------------------------------------------------------

const Failure = Schema.Struct({
  reason: RaftErrorReason,
  /** Where the leader listens for clients, if the node knows. */
  leaderAt: Schema.NullOr(Schema.String)
})
const FailureJson = Schema.fromJsonString(Schema.toCodecJson(Failure))
const encodeFailure = Schema.encodeSync(FailureJson)
const decodeFailure = Schema.decodeUnknownOption(FailureJson)

export const answerToParcel = (answer: ClientAnswer): Parcel => {
  if (answer._tag === "Done") return { id: answer.id, kind: answerKinds.Done, bytes: answer.bytes }
  const { id, leaderAt, reason } = answer
  const { outcome } = new RaftError({ reason })
  return {
    id,
    kind: outcome === "none" ? answerKinds.Refused : answerKinds.InDoubt,
    bytes: utf8.encode(encodeFailure({ reason, leaderAt }))
  }
}

/** Throws `MalformedFrame` where the kind is none. */
export const answerOf = (id: number, kind: number, bytes: Uint8Array): ClientAnswer => {
  if (kind === answerKinds.Done) return { _tag: "Done", id, bytes }
  if (kind !== answerKinds.Refused && kind !== answerKinds.InDoubt)
    throw new MalformedFrame({ detail: `an answer of kind ${kind}, which there is not` })
  const text = fromUtf8.decode(bytes)
  return Option.match(decodeFailure(text), {
    onSome: ({ leaderAt, reason }): ClientAnswer => ({ _tag: "Failed", id, reason, leaderAt }),
    onNone: () => ({ _tag: "Failed", id, reason: strange(kind, text), leaderAt: null })
  })
}

/** A reason of a later version: what became of the call is known all the same. */
const strange = (kind: number, text: string): RaftErrorReason => {
  const detail = `the node gave a reason that this version does not know: ${text.slice(0, 200)}`
  return kind === answerKinds.Refused
    ? new Unreachable({ waitedMillis: 0, detail })
    : new OutcomeUnknown({ detail })
}
