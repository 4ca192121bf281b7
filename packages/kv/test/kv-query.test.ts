/**
 * Queries and answers in their binary form, and the slab that their bytes come from.
 */
import { assert, describe, it } from "@effect/vitest"
import { ByteSlab } from "@effect-raft/core/ByteSlab"
import * as KvCommand from "@effect-raft/kv/KvCommand"
import * as KvKey from "@effect-raft/kv/KvKey"
import * as KvQuery from "@effect-raft/kv/KvQuery"
import * as Schema from "effect/Schema"

describe("the codec of queries", () => {
  it.prop("gives queries back", [Schema.String], ([key]) => {
    if (KvKey.problemWith(key) !== undefined) return
    const query: KvQuery.KvQuery = { _tag: "Get", key }
    assert.deepStrictEqual(KvQuery.queryCodec.decode(KvQuery.queryCodec.encode(query)), query)
  })

  it.prop("gives answers back", [KvQuery.KvAnswer], ([answer]) => {
    assert.deepStrictEqual(KvQuery.answerCodec.decode(KvQuery.answerCodec.encode(answer)), answer)
  })

  it.prop("reads no nonsense", [Schema.Uint8Array], ([bytes]) => {
    for (const { decode, encode } of [KvQuery.queryCodec, KvQuery.answerCodec] as const) {
      let decoded: unknown
      try {
        decoded = decode(bytes)
      } catch (error) {
        assert.isTrue(Schema.isSchemaError(error), String(error))
        continue
      }
      assert.deepStrictEqual(Array.from(encode(decoded as never)), Array.from(bytes))
    }
  })

  it("gives away a value that is the caller's own, and keeps no more than a few kilobytes alive", () => {
    const frame = new Uint8Array(256 * 1024)
    const lengths = [0, 3, 64, 256, 1024, 1025, 9000]
    const values = lengths.map((length, revision) => {
      const answer = { value: new Uint8Array(length).fill(revision + 1), revision: revision + 1 }
      const encoded = KvQuery.answerCodec.encode(answer)
      frame.set(encoded)
      return KvQuery.answerCodec.decode(frame.subarray(0, encoded.byteLength))!.value
    })
    frame.fill(0xff)
    for (const value of values) {
      assert.isAtMost(value.buffer.byteLength, Math.max(8 * 1024, value.byteLength))
      const before = values.map((other) => (other === value ? undefined : Array.from(other)))
      const mine = Array.from(value)
      value.fill(0xee)
      assert.deepStrictEqual(
        values.map((other) => (other === value ? undefined : Array.from(other))),
        before
      )
      value.set(mine)
    }
    assert.deepStrictEqual(
      values.map((value, at) => [value.byteLength, value.every((byte) => byte === at + 1)]),
      lengths.map((length) => [length, true])
    )
  })
})

describe("the slab", () => {
  it("gives pieces that do not overlap, whatever their sizes", () => {
    const slab = new ByteSlab()
    const pieces = Array.from({ length: 500 }, (_, i) => ({
      piece: slab.take((i * 7919) % 12_000),
      byte: i % 251
    }))
    for (const { byte, piece } of pieces) piece.fill(byte)
    for (const { byte, piece } of pieces) assert.isTrue(piece.every((found) => found === byte))
  })

  it("leaves commands as they were when others are encoded after them", () => {
    const put = (i: number): KvCommand.KvCommand => ({
      _tag: "Put",
      key: `k${i}`,
      value: new Uint8Array((i * 977) % 9000).fill(i),
      ...(i % 2 === 0 ? {} : { condition: { _tag: "IfMatch", revision: i } })
    })
    const encoded = Array.from({ length: 200 }, (_, i) => KvCommand.commandCodec.encode(put(i)))
    for (const [i, bytes] of encoded.entries())
      assert.deepStrictEqual(KvCommand.commandCodec.decode(bytes), put(i))
  })
})
