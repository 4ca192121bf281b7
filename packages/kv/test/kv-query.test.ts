/**
 * Queries and answers in their binary form, and the slab that their bytes come from.
 */
import { assert, describe, it } from "@effect/vitest"
import { ByteSlab } from "@effect-raft/kv/ByteSlab"
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

  it("gives away a value of which nothing else is kept", () => {
    const answer = { value: Uint8Array.of(1, 2, 3), revision: 1 }
    const decoded = KvQuery.answerCodec.decode(KvQuery.answerCodec.encode(answer))
    assert.strictEqual(decoded?.value.buffer.byteLength, 3)
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
