/**
 * The commands of the key-value machine and what it replies.
 *
 * Both have a schema, which is what a reader and a property test want, and a binary form written by
 * hand, which is what the log wants: a put is on the path of every write, and its value stays bytes.
 *
 * A command, little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 1 | 0 put, 1 delete |
 * | 1 | 1 | condition: 0 none, 1 if absent, 2 if match |
 * | 2 | 2 | length of the key in bytes |
 * | 4 | 8 | the revision to match (float64); 0 without such a condition |
 * | 12 | … | the key in UTF-8, and then, of a put, the value |
 *
 * A reply: one byte (0 written, 1 deleted, 2 condition failed) and a float64: the revision, or 1 and 0
 * for "was there" and "was not", or the revision that stands against the condition, 0 for none.
 */
import type { BinaryCodec } from "@effect-raft/core/StateMachine"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { ByteSlab } from "@effect-raft/core/ByteSlab"
import * as KvKey from "./KvKey.ts"
import * as NumberBytes from "./NumberBytes.ts"

/** The log index of the write that made a value what it is; the first is 1. */
export const Revision = Schema.Natural.check(Schema.isGreaterThan(0))
export type Revision = typeof Revision.Type

/** Holds when there is no value. */
export const IfAbsent = Schema.TaggedStruct("IfAbsent", {})

/** Holds when the value there has this revision. */
export const IfMatch = Schema.TaggedStruct("IfMatch", { revision: Revision })

/** What must hold for a write to take effect. */
export const Condition = Schema.Union([IfAbsent, IfMatch])
export type Condition = typeof Condition.Type

/** A key; see `KvKey`. */
export const Key = Schema.String.check(Schema.makeFilter((key: string) => KvKey.problemWith(key)))

/** Writes a value. */
export const Put = Schema.TaggedStruct("Put", {
  key: Key,
  value: Schema.Uint8Array,
  condition: Schema.optionalKey(Condition)
})

/** Removes a key and its value. */
export const Delete = Schema.TaggedStruct("Delete", { key: Key, condition: Schema.optionalKey(IfMatch) })

export const KvCommand = Schema.Union([Put, Delete])
export type KvCommand = typeof KvCommand.Type

/** The value was written; `revision` is its revision from now on. */
export const Written = Schema.TaggedStruct("Written", { revision: Revision })

/** The key is gone; `deleted` tells whether it was there. */
export const Deleted = Schema.TaggedStruct("Deleted", { deleted: Schema.Boolean })

/** Nothing was changed. `revision` is that of the value there, `null` where there is none. */
export const ConditionFailed = Schema.TaggedStruct("ConditionFailed", { revision: Schema.NullOr(Revision) })

export const KvReply = Schema.Union([Written, Deleted, ConditionFailed])
export type KvReply = typeof KvReply.Type

const headerBytes = 12

/** The most that a command takes beyond its value, in bytes. */
export const maxOverheadBytes = headerBytes + KvKey.maxKeyBytes

const conditionCodes = { IfAbsent: 1, IfMatch: 2 } as const

/** For bytes that are not what they should be. */
export const reject = (message: string): never => {
  throw new Schema.SchemaError(new SchemaIssue.InvalidValue({ message }))
}

const slab = new ByteSlab()

/** The binary form of a command. A decoded value is a view of the bytes it was read from. */
export const commandCodec: BinaryCodec<KvCommand> = {
  encode: (command) => {
    const problem = KvKey.problemWith(command.key)
    if (problem !== undefined) return reject(problem)
    const key = KvKey.bytesOf(command.key)
    const value = command._tag === "Put" ? command.value : undefined
    const bytes = slab.take(headerBytes + key.byteLength + (value?.byteLength ?? 0))
    bytes[0] = command._tag === "Put" ? 0 : 1
    bytes[1] = command.condition === undefined ? 0 : conditionCodes[command.condition._tag]
    const revision = command.condition?._tag === "IfMatch" ? command.condition.revision : 0
    bytes[2] = key.byteLength & 0xff
    bytes[3] = key.byteLength >>> 8
    NumberBytes.write(bytes, 4, revision)
    bytes.set(key, headerBytes)
    if (value !== undefined) bytes.set(value, headerBytes + key.byteLength)
    return bytes
  },
  decode: (bytes) => {
    if (bytes.byteLength < headerBytes) return reject("a command has at least 12 bytes")
    const keyEnd = headerBytes + bytes[2]! + 256 * bytes[3]!
    if (keyEnd > bytes.byteLength) return reject("the key is cut off")
    const key = keyOf(bytes, headerBytes, keyEnd)
    const condition = decodeCondition(bytes)
    switch (bytes[0]) {
      case 0: {
        const value = bytes.subarray(keyEnd)
        return condition === undefined ? { _tag: "Put", key, value } : { _tag: "Put", key, value, condition }
      }
      case 1: {
        if (keyEnd !== bytes.byteLength) return reject("a delete carries no value")
        if (condition === undefined) return { _tag: "Delete", key }
        if (condition._tag === "IfAbsent") return reject("a delete cannot be conditional on absence")
        return { _tag: "Delete", key, condition }
      }
      default:
        return reject(`${bytes[0]} is no command`)
    }
  }
}

/** Reads the key from `start` to `end`; throws a `SchemaError` where the bytes are none. */
export const keyOf = (bytes: Uint8Array, start: number, end: number): string => {
  try {
    return KvKey.fromBytes(bytes, start, end)
  } catch (cause) {
    return reject(cause instanceof RangeError ? cause.message : "the key is not UTF-8")
  }
}

const decodeCondition = (bytes: Uint8Array): Condition | undefined => {
  switch (bytes[1]) {
    case 0:
      return undefined
    case conditionCodes.IfAbsent:
      return { _tag: "IfAbsent" }
    case conditionCodes.IfMatch:
      return { _tag: "IfMatch", revision: decodeRevision(NumberBytes.read(bytes, 4)) }
    default:
      return reject(`${bytes[1]} is no condition`)
  }
}

const decodeRevision = (revision: number): Revision =>
  Number.isSafeInteger(revision) && revision > 0 ? revision : reject(`${revision} is no revision`)

const replyBytes = 9

const encodeReply = (kind: number, number: number): Uint8Array => {
  const bytes = new Uint8Array(replyBytes)
  bytes[0] = kind
  NumberBytes.write(bytes, 1, number)
  return bytes
}

/** The binary form of a reply. */
export const replyCodec: BinaryCodec<KvReply> = {
  encode: (reply) => {
    switch (reply._tag) {
      case "Written":
        return encodeReply(0, reply.revision)
      case "Deleted":
        return encodeReply(1, reply.deleted ? 1 : 0)
      case "ConditionFailed":
        return encodeReply(2, reply.revision ?? 0)
    }
  },
  decode: (bytes) => {
    if (bytes.byteLength !== replyBytes)
      return reject(`a reply has ${replyBytes} bytes, not ${bytes.byteLength}`)
    const number = NumberBytes.read(bytes, 1)
    switch (bytes[0]) {
      case 0:
        return { _tag: "Written", revision: decodeRevision(number) }
      case 1:
        return {
          _tag: "Deleted",
          deleted: number === 1 || (number === 0 ? false : reject("neither yes nor no"))
        }
      case 2:
        return { _tag: "ConditionFailed", revision: number === 0 ? null : decodeRevision(number) }
      default:
        return reject(`${bytes[0]} is no reply`)
    }
  }
}
