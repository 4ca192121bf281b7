/**
 * Requests and answers as frames: what goes in comes out, and what is damaged is refused as such.
 */
import { assert, describe, it } from "@effect/vitest"
import type { ClientAnswer, ClientRequest } from "@effect-raft/core/ClientMessage"
import { NodeId } from "@effect-raft/core/NodeId"
import { RaftErrorReason } from "@effect-raft/core/RaftError"
import * as ClientCodec from "@effect-raft/transport-tcp/ClientCodec"
import * as ClientHandshake from "@effect-raft/transport-tcp/ClientHandshake"
import { FrameReader, MalformedFrame } from "@effect-raft/transport-tcp/FrameReader"
import * as Parcel from "@effect-raft/transport-tcp/Parcel"
import * as Schema from "effect/Schema"

const { Answers, Requests } = ClientHandshake.frameTypes

const Id = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffffffff }))

const Request = Schema.Union([
  Schema.TaggedStruct("Propose", { id: Id, command: Schema.Uint8Array }),
  Schema.TaggedStruct("Query", {
    id: Id,
    consistency: Schema.Literals(["linearizable", "stale"]),
    query: Schema.Uint8Array
  }),
  Schema.TaggedStruct("OpenSession", { id: Id }),
  Schema.TaggedStruct("Session", { id: Id, record: Schema.Uint8Array }),
  Schema.TaggedStruct("AwaitLeader", { id: Id, otherThan: NodeId })
])

const Answer = Schema.Union([
  Schema.TaggedStruct("Done", { id: Id, bytes: Schema.Uint8Array }),
  Schema.TaggedStruct("Failed", { id: Id, reason: RaftErrorReason, leaderAt: Schema.NullOr(Schema.String) })
])

const frameOf = (type: number, parcels: ReadonlyArray<Parcel.Parcel>): Uint8Array => {
  const bytes = parcels.reduce((sum, parcel) => sum + Parcel.parcelBytes(parcel), Parcel.batchHeaderBytes)
  const target = new Uint8Array(bytes)
  assert.strictEqual(Parcel.encode(target, new DataView(target.buffer), type, parcels, parcels.length), bytes)
  return target
}

/** What a reader makes of bytes that come in pieces of `pieceBytes`. */
const read = <A>(
  bytes: Uint8Array,
  pieceBytes: number,
  of: (id: number, kind: number, bytes: Uint8Array) => A
): ReadonlyArray<A> => {
  const reader = new FrameReader(16 * 1024 * 1024, { slabBytes: 4096, useInPlaceFromBytes: 1 })
  const found: Array<A> = []
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
    reader.feed(bytes.slice(at, at + pieceBytes))
    while (reader.next()) {
      Parcel.decode(reader, (id, kind, bytes) => found.push(of(id, kind, bytes)))
      reader.keep()
    }
  }
  return found
}

describe("the codec of clients", () => {
  it.prop(
    "gives requests back, in pieces of any size",
    [Schema.Array(Request), Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))],
    ([requests, pieceBytes]) => {
      const frame = frameOf(Requests, requests.map(ClientCodec.requestToParcel))
      const found: ReadonlyArray<ClientRequest> = read(frame, pieceBytes, ClientCodec.requestOf)
      assert.deepStrictEqual(found.map(plain), requests.map(plain))
    }
  )

  it.prop("gives answers back", [Schema.Array(Answer)], ([answers]) => {
    const frame = frameOf(Answers, answers.map(ClientCodec.answerToParcel))
    const found: ReadonlyArray<ClientAnswer> = read(frame, 1000, ClientCodec.answerOf)
    assert.deepStrictEqual(found.map(plain), answers.map(plain))
  })

  it("notices every flipped bit behind the header of a frame", () => {
    const frame = frameOf(Requests, [{ id: 1, kind: 1, bytes: Uint8Array.of(1, 2, 3, 4) }])
    for (let bit = 8 * 8; bit < frame.byteLength * 8; bit++) {
      const damaged = frame.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      assert.throws(() => read(damaged, frame.byteLength, ClientCodec.requestOf), MalformedFrame)
    }
  })

  it("refuses kinds that there are not", () => {
    for (const kind of [0, 6, 255]) {
      assert.throws(() => ClientCodec.requestOf(1, kind, new Uint8Array()), MalformedFrame)
      assert.throws(() => ClientCodec.answerOf(1, kind === 0 ? 0 : 4, new Uint8Array()), MalformedFrame)
    }
  })

  it("knows what became of a call also where it does not know the reason", () => {
    const reason = new TextEncoder().encode(`{"reason":{"_tag":"OfTomorrow"},"leaderAt":null}`)
    const refused = ClientCodec.answerOf(1, ClientCodec.answerKinds.Refused, reason)
    assert.isTrue(refused._tag === "Failed" && refused.reason._tag === "Unreachable")
    const inDoubt = ClientCodec.answerOf(1, ClientCodec.answerKinds.InDoubt, reason)
    assert.isTrue(inDoubt._tag === "Failed" && inDoubt.reason._tag === "OutcomeUnknown")
  })
})

/** Without the classes of errors and of byte arrays, which need not be the same. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => (part instanceof Uint8Array ? Array.from(part) : part))
  )
