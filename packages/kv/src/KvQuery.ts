/**
 * What can be asked of the key-value machine from another process, and its answer.
 *
 * As with the commands there are schemas, and a binary form written by hand for the path of every read. A
 * query is one byte (0 get) and the key in UTF-8. An answer is one byte (0 there is none, 1 there is), and
 * where there is one a float64, the revision, and the value.
 */
import type { BinaryCodec } from "@effect-raft/core/StateMachine"
import * as Schema from "effect/Schema"
import { ByteSlab } from "@effect-raft/core/ByteSlab"
import { Key, keyOf, reject, Revision } from "./KvCommand.ts"
import * as KvKey from "./KvKey.ts"
import * as NumberBytes from "./NumberBytes.ts"

/** Reads a value. */
export const Get = Schema.TaggedStruct("Get", { key: Key })

export const KvQuery = Get
export type KvQuery = typeof KvQuery.Type

/** What stands under the key; `null` where there is nothing. */
export const KvAnswer = Schema.NullOr(Schema.Struct({ value: Schema.Uint8Array, revision: Revision }))
export type KvAnswer = typeof KvAnswer.Type

const getCode = 0

export const queryCodec: BinaryCodec<KvQuery> = {
  encode: ({ key }) => {
    const problem = KvKey.problemWith(key)
    if (problem !== undefined) return reject(problem)
    const keyBytes = KvKey.bytesOf(key)
    const bytes = new Uint8Array(1 + keyBytes.byteLength)
    bytes[0] = getCode
    bytes.set(keyBytes, 1)
    return bytes
  },
  decode: (bytes) => {
    if (bytes[0] !== getCode) return reject(`${bytes[0]} is no query`)
    return { _tag: "Get", key: keyOf(bytes, 1, bytes.byteLength) }
  }
}

const absent = new Uint8Array([0])
const answerHeaderBytes = 9
const slab = new ByteSlab()

/** What a value that somebody keeps may keep alive beside it, at most. */
const valueSlabBytes = 8 * 1024
const values = new ByteSlab(valueSlabBytes)

/** A decoded value is the caller's own. A small one shares a buffer of a few kilobytes with others. */
export const answerCodec: BinaryCodec<KvAnswer> = {
  encode: (answer) => {
    if (answer === null) return absent
    // Once: to look at a value may make a view of its page.
    const { revision, value } = answer
    const bytes = slab.take(answerHeaderBytes + value.byteLength)
    bytes[0] = 1
    NumberBytes.write(bytes, 1, revision)
    bytes.set(value, answerHeaderBytes)
    return bytes
  },
  decode: (bytes) => {
    if (bytes.byteLength === 1 && bytes[0] === 0) return null
    if (bytes[0] !== 1 || bytes.byteLength < answerHeaderBytes) return reject("this is no answer to a query")
    const revision = NumberBytes.read(bytes, 1)
    if (!Number.isSafeInteger(revision) || revision <= 0) return reject(`${revision} is no revision`)
    const value = values.take(bytes.byteLength - answerHeaderBytes)
    value.set(new Uint8Array(bytes.buffer, bytes.byteOffset + answerHeaderBytes, value.byteLength))
    return { value, revision }
  }
}
