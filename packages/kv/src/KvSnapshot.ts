/**
 * The machine's state as bytes.
 *
 * Records back to back, little-endian: length of the key (2), length of the value (4), revision
 * (float64), the key, the value. A key length of 0 ends them, followed by the number of records
 * (float64), so that a snapshot that was cut off is recognised. The records are cut into pieces without
 * regard to their borders; whoever stores or sends the pieces may cut them anew.
 */
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { ForkableMap } from "./ForkableMap.ts"
import * as KvKey from "./KvKey.ts"
import { Stored } from "./Stored.ts"

/** The largest piece of a snapshot, in bytes. */
export const maxPieceBytes = 256 * 1024

const recordHeaderBytes = 14
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Writes a state in pieces of at most `maxPieceBytes`. Takes from the map as the pieces are asked for. */
export function* encode(map: ForkableMap<Stored>): Generator<Uint8Array> {
  let piece = new Uint8Array(maxPieceBytes)
  let filled = 0
  for (const part of parts(map)) {
    for (let taken = 0; taken < part.byteLength;) {
      const fits = Math.min(part.byteLength - taken, maxPieceBytes - filled)
      piece.set(part.subarray(taken, taken + fits), filled)
      taken += fits
      filled += fits
      if (filled === maxPieceBytes) {
        yield piece
        piece = new Uint8Array(maxPieceBytes)
        filled = 0
      }
    }
  }
  if (filled > 0) yield piece.slice(0, filled)
}

function* parts(map: ForkableMap<Stored>): Generator<Uint8Array> {
  const head = new Uint8Array(recordHeaderBytes + KvKey.maxKeyBytes)
  const view = new DataView(head.buffer)
  for (const [key, stored] of map.entries()) {
    const keyBytes = KvKey.bytesOf(key)
    view.setUint16(0, keyBytes.byteLength, true)
    view.setUint32(2, stored.value.byteLength, true)
    view.setFloat64(6, stored.revision, true)
    head.set(keyBytes, recordHeaderBytes)
    yield head.subarray(0, recordHeaderBytes + keyBytes.byteLength)
    yield stored.value
  }
  view.setUint16(0, 0, true)
  view.setFloat64(2, map.size, true)
  yield head.subarray(0, 10)
}

/** Reads a state. Keeps none of the pieces. Throws a `SchemaError` where they are no snapshot. */
export const decode = (pieces: Iterable<Uint8Array>): ForkableMap<Stored> => {
  const take = reader(pieces)
  const map = new ForkableMap<Stored>()
  for (;;) {
    const keyBytes = dataView(take(2)).getUint16(0, true)
    if (keyBytes === 0) break
    const rest = dataView(take(recordHeaderBytes - 2))
    const key = decodeKey(take(keyBytes))
    map.set(key, Stored.of(take(rest.getUint32(0, true)), rest.getFloat64(4, true)))
  }
  const records = dataView(take(8)).getFloat64(0, true)
  if (records !== map.size) return reject(`the snapshot holds ${map.size} records, its end says ${records}`)
  return map
}

const reject = (message: string): never => {
  throw new Schema.SchemaError(new SchemaIssue.InvalidValue({ message }))
}

const decodeKey = (bytes: Uint8Array): string => {
  try {
    return decoder.decode(bytes)
  } catch {
    return reject("a key of the snapshot is not UTF-8")
  }
}

const dataView = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset)

/** Gives the next `wanted` bytes of the pieces, in an array of their own. */
const reader = (pieces: Iterable<Uint8Array>): ((wanted: number) => Uint8Array) => {
  const iterator = pieces[Symbol.iterator]()
  let piece = new Uint8Array(0)
  return (wanted) => {
    // Collected before the array is made: a damaged length must not allocate what is not there.
    const views: Array<Uint8Array> = []
    for (let missing = wanted; missing > 0;) {
      if (piece.byteLength === 0) {
        const next = iterator.next()
        if (next.done === true) return reject("the snapshot is cut off")
        piece = next.value as Uint8Array<ArrayBuffer>
      }
      const view = piece.subarray(0, missing)
      views.push(view)
      piece = piece.subarray(view.byteLength)
      missing -= view.byteLength
    }
    const bytes = new Uint8Array(wanted)
    let filled = 0
    for (const view of views) {
      bytes.set(view, filled)
      filled += view.byteLength
    }
    return bytes
  }
}
