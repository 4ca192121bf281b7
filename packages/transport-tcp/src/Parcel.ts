/**
 * Many small things in one frame, as clients and nodes exchange them.
 *
 * A parcel is a number, a kind and some bytes; what that means is the business of `ClientCodec`. All that waits
 * goes out in one frame, and the body of that frame is:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | CRC-32 of the rest of the body |
 * | 4 | 4 | how many parcels |
 * | 8 | … | the parcels, back to back: number (4), kind (1), length (4), bytes |
 */
import * as Zlib from "node:zlib"
import { MalformedFrame } from "./FrameReader.ts"
import type { FrameReader } from "./FrameReader.ts"
import { frameHeaderBytes } from "./FrameWriter.ts"

export interface Parcel {
  readonly id: number
  readonly kind: number
  readonly bytes: Uint8Array
}

const checksumBytes = 4
const bodyHeaderBytes = 8
const parcelHeaderBytes = 9

/** The bytes of a frame before its first parcel. */
export const batchHeaderBytes = frameHeaderBytes + bodyHeaderBytes

/** What a parcel adds to its frame. */
export const parcelBytes = (parcel: Parcel): number => parcelHeaderBytes + parcel.bytes.byteLength

/** Writes the first `count` of `parcels` as one frame to the beginning of `target`; gives the frame's size. */
export const encode = (
  target: Uint8Array,
  view: DataView,
  type: number,
  parcels: ReadonlyArray<Parcel>,
  count: number
): number => {
  let at = batchHeaderBytes
  for (let place = 0; place < count; place++) {
    const parcel = parcels[place]!
    view.setUint32(at, parcel.id, true)
    view.setUint8(at + 4, parcel.kind)
    view.setUint32(at + 5, parcel.bytes.byteLength, true)
    target.set(parcel.bytes, at + parcelHeaderBytes)
    at += parcelHeaderBytes + parcel.bytes.byteLength
  }
  view.setUint32(0, at - frameHeaderBytes, true)
  view.setUint32(4, type, true)
  view.setUint32(frameHeaderBytes + checksumBytes, count, true)
  const checked = target.subarray(frameHeaderBytes + checksumBytes, at)
  view.setUint32(frameHeaderBytes, Zlib.crc32(checked), true)
  return at
}

/** Reads the present frame; throws `MalformedFrame`. The bytes are views of the reader's buffer. */
export const decode = (
  reader: FrameReader,
  onParcel: (id: number, kind: number, bytes: Uint8Array) => void
): void => {
  const expected = reader.uint32()
  if (Zlib.crc32(reader.rest()) !== expected)
    throw new MalformedFrame({ detail: "a frame whose checksum is wrong" })
  for (let left = reader.uint32(); left > 0; left--) {
    const id = reader.uint32()
    const kind = reader.byte()
    onParcel(id, kind, reader.bytestring())
  }
  reader.finish()
}
