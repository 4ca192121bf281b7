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
import type { Entries } from "./ForkableMap.ts"
import * as KvKey from "./KvKey.ts"
import { Page } from "./Page.ts"
import { PagedValues } from "./PagedValues.ts"
import * as ShortText from "./ShortText.ts"
import type { Stored } from "./Stored.ts"

/** The largest piece of a snapshot, in bytes. */
export const maxPieceBytes = 256 * 1024

const recordHeaderBytes = 14
/** What ends the records: a key length of 0, and how many there were. */
const endBytes = 10

/** More than this would hold up the event loop: each key takes about a microsecond. */
const maxKeysAtOnce = 2048
const maxBytesAtOnce = 1024 * 1024

/**
 * The pieces of a small state, all of them at once; `undefined` where it is larger. Who has them needs no fork, after
 * which every write would copy a bucket, and no page could be filled again.
 */
export const encodeSmall = (map: Entries<Stored>): ReadonlyArray<Uint8Array> | undefined =>
  map.size <= maxKeysAtOnce && valueBytesOf(map) <= maxBytesAtOnce ? Array.from(encode(map)) : undefined

const valueBytesOf = ({ buckets }: Entries<Stored>): number => {
  let bytes = 0
  for (const bucket of buckets) {
    if (bucket !== undefined) for (const { byteLength } of bucket.values) bytes += byteLength
  }
  return bytes
}

/** Writes a state in pieces of at most `maxPieceBytes`. Takes from the map as the pieces are asked for. */
export function* encode(map: Entries<Stored>): Generator<Uint8Array> {
  let piece = newPiece()
  let filled = 0
  for (const bucket of map.buckets) {
    if (bucket === undefined) continue
    const { keys, values } = bucket
    for (let at = 0; at < values.length; at++) {
      const stored = values[at]!
      const keyBytes = KvKey.bytesOf(keys[at]!)
      const bytes = recordHeaderBytes + keyBytes.byteLength + stored.byteLength
      if (bytes < maxPieceBytes - filled) {
        writeRecord(piece, filled, keyBytes, stored)
        filled += bytes
        continue
      }
      const record = newPiece(bytes)
      writeRecord(record, 0, keyBytes, stored)
      for (let taken = 0; taken < bytes;) {
        const part = record.bytes.subarray(taken, taken + maxPieceBytes - filled)
        piece.bytes.set(part, filled)
        taken += part.byteLength
        filled += part.byteLength
        if (filled < maxPieceBytes) break
        yield piece.bytes
        piece = newPiece()
        filled = 0
      }
    }
  }
  if (maxPieceBytes - filled < endBytes) {
    yield piece.bytes.slice(0, filled)
    piece = newPiece()
    filled = 0
  }
  piece.view.setUint16(filled, 0, true)
  piece.view.setFloat64(filled + 2, map.size, true)
  yield piece.bytes.slice(0, filled + endBytes)
}

interface Written {
  readonly bytes: Uint8Array
  readonly view: DataView
}

const newPiece = (byteLength = maxPieceBytes): Written => {
  const bytes = new Uint8Array(byteLength)
  return { bytes, view: new DataView(bytes.buffer) }
}

const writeRecord = ({ bytes, view }: Written, at: number, key: Uint8Array, stored: Stored): void => {
  view.setUint16(at, key.byteLength, true)
  view.setUint32(at + 2, stored.byteLength, true)
  view.setFloat64(at + 6, stored.revision, true)
  bytes.set(key, at + recordHeaderBytes)
  bytes.set(stored.value, at + recordHeaderBytes + key.byteLength)
}

/**
 * A state that is being read, piece by piece. Values stay where they are, in the pieces, but for those that are cut
 * in two. Throws a `SchemaError` where the pieces are no snapshot.
 */
export class Reading {
  private readonly values = new PagedValues()
  /** A record that is not whole yet: its beginning, in one or more parts. */
  private begun: ReadonlyArray<Uint8Array> = []
  private begunBytes = 0
  /** How many records there were, as the end says. */
  private records: number | undefined

  /** Takes the next piece, which must not be changed any more. */
  add(piece: Uint8Array): void {
    const page = Page.lent(piece)
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength)
    let at = this.goOn(piece)
    while (at < piece.byteLength) {
      const bytes = recordBytes(view, at)
      if (bytes === undefined || bytes > piece.byteLength - at) {
        this.begin(piece.subarray(at))
        break
      }
      this.keep(page, view, at)
      at += bytes
    }
    this.values.close(page)
  }

  /** All of it, when the last piece was added. */
  finish(): PagedValues {
    const { records, values } = this
    if (records === undefined) return reject("the snapshot is cut off")
    if (records !== values.size)
      return reject(`the snapshot holds ${values.size} records, its end says ${records}`)
    return values
  }

  private begin(part: Uint8Array): void {
    this.begun = [...this.begun, part]
    this.begunBytes += part.byteLength
  }

  /** Takes what `piece` has of the record that was begun before it, and tells how much that was. */
  private goOn(piece: Uint8Array): number {
    let at = 0
    while (this.begunBytes > 0 && at < piece.byteLength) {
      const head = viewOf(joined(this.begun, recordHeaderBytes))
      const bytes = recordBytes(head, 0)
      // Where not even that is known: the next byte may tell.
      const missing = bytes === undefined ? 1 : bytes - this.begunBytes
      const part = piece.subarray(at, at + missing)
      this.begin(part)
      at += part.byteLength
      if (bytes === this.begunBytes) this.keepBegun()
    }
    return at
  }

  private keepBegun(): void {
    const page = Page.lent(joined(this.begun, this.begunBytes))
    this.begun = []
    this.begunBytes = 0
    this.keep(page, viewOf(page.bytes), 0)
    this.values.close(page)
  }

  /** Keeps the record that is whole in `page`, from `at` on. */
  private keep(page: Page, view: DataView, at: number): void {
    if (this.records !== undefined) return reject("something follows the end of the snapshot")
    const keyBytes = view.getUint16(at, true)
    if (keyBytes === 0) {
      this.records = view.getFloat64(at + 2, true)
      return
    }
    const keyStart = at + recordHeaderBytes
    const start = keyStart + keyBytes
    const key = decodeKey(page.bytes, keyStart, start)
    const byteLength = view.getUint32(at + 2, true)
    this.values.lend(key, page, { start, byteLength, revision: view.getFloat64(at + 6, true) })
  }
}

/** How long the record is that begins at `at`, the end included; `undefined` where too little of it is there. */
const recordBytes = (view: DataView, at: number): number | undefined => {
  const left = view.byteLength - at
  if (left < 2) return undefined
  const keyBytes = view.getUint16(at, true)
  if (keyBytes === 0) return endBytes
  return left < recordHeaderBytes ? undefined : recordHeaderBytes + keyBytes + view.getUint32(at + 2, true)
}

/** The first `bytes` bytes of these parts, or all where there are fewer. */
const joined = (parts: ReadonlyArray<Uint8Array>, bytes: number): Uint8Array => {
  const [only, ...others] = parts
  if (only !== undefined && (others.length === 0 || only.byteLength >= bytes)) return only.subarray(0, bytes)
  const available = parts.reduce((total, part) => total + part.byteLength, 0)
  const whole = new Uint8Array(Math.min(bytes, available))
  let filled = 0
  for (const part of parts) {
    const taken = part.subarray(0, whole.byteLength - filled)
    whole.set(taken, filled)
    filled += taken.byteLength
  }
  return whole
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const reject = (message: string): never => {
  throw new Schema.SchemaError(new SchemaIssue.InvalidValue({ message }))
}

const decodeKey = (bytes: Uint8Array, start: number, end: number): string => {
  try {
    return ShortText.decode(bytes, start, end)
  } catch {
    return reject("a key of the snapshot is not UTF-8")
  }
}
