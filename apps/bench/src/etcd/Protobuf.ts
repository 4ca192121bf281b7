/**
 * As much of the protocol buffer encoding as etcd's messages need: varints, and byte strings.
 */

const utf8 = new TextEncoder()

/** One field of a message: its number, and a number, a text or bytes. */
export type Field = readonly [number: number, value: number | string | Uint8Array]

const varintType = 0
const fixed64Type = 1
const bytesType = 2
const fixed32Type = 5

/** A message of these fields. Numbers must be whole and not negative. */
export const encode = (fields: ReadonlyArray<Field>): Uint8Array => {
  const parts = fields.map(([number, value]): readonly [Array<number>, Uint8Array] => {
    if (typeof value === "number") return [[...varint(tag(number, varintType)), ...varint(value)], empty]
    const bytes = typeof value === "string" ? utf8.encode(value) : value
    return [[...varint(tag(number, bytesType)), ...varint(bytes.byteLength)], bytes]
  })
  const total = parts.reduce((sum, [head, bytes]) => sum + head.length + bytes.byteLength, 0)
  const message = new Uint8Array(total)
  let at = 0
  for (const [head, bytes] of parts) {
    message.set(head, at)
    message.set(bytes, at + head.length)
    at += head.length + bytes.byteLength
  }
  return message
}

const empty = new Uint8Array(0)

const tag = (number: number, type: number): number => number * 8 + type

const varint = (value: number): Array<number> => {
  const bytes: Array<number> = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return bytes
}

/** The fields of a message; the last one counts where a field comes more than once. Integers are bigints. */
export const decode = (message: Uint8Array): ReadonlyMap<number, bigint | Uint8Array> => {
  const fields = new Map<number, bigint | Uint8Array>()
  let at = 0
  const readVarint = (): bigint => {
    let value = 0n
    for (let shift = 0n; at < message.byteLength; shift += 7n) {
      const byte = message[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
    throw new RangeError("A protocol buffer ends within a number")
  }
  while (at < message.byteLength) {
    const head = Number(readVarint())
    const number = Math.floor(head / 8)
    switch (head % 8) {
      case varintType:
        fields.set(number, readVarint())
        break
      case bytesType: {
        const byteLength = Number(readVarint())
        fields.set(number, message.subarray(at, at + byteLength))
        at += byteLength
        break
      }
      case fixed64Type:
        at += 8
        break
      case fixed32Type:
        at += 4
        break
      default:
        throw new RangeError(`A protocol buffer has a field of the unknown type ${head % 8}`)
    }
  }
  return fields
}
