/**
 * Outgoing frames as a list of byte ranges, ready for one vectored write.
 *
 * A frame is a length and a type, then the body:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | length of the body in bytes, little-endian, as are all numbers |
 * | 4 | 1 | type |
 * | 5 | 1 | zero |
 * | 6 | 2 | channel: zero; reserved for several groups on one connection |
 * | 8 | … | body |
 *
 * What is written stands one after the other in a slab; only large byte strings that nobody else changes, as pieces
 * of a snapshot, are not copied but stand in the list as they are. The socket may keep a range for as long as it
 * likes, so a slab is written from its beginning to its end. Mostly the system takes all at once; who sees that says
 * so, and the slab is written from its beginning again.
 */

/** Bytes before the body of every frame. */
export const frameHeaderBytes = 8

/** Byte strings up to this size are copied: cheaper than one more range in a vectored write. */
const copyUpToBytes = 2048
const slabBytes = 64 * 1024
/** A larger slab is not kept for the next frames. */
const maxKeptBytes = 2 * 1024 * 1024

const utf8 = new TextEncoder()

/** The bytes that {@link FrameWriter.text} takes for `value`. */
export const textBytes = (value: string): number => 2 + Buffer.byteLength(value)

export class FrameWriter {
  private slab = Buffer.allocUnsafeSlow(0)
  private view = new DataView(this.slab.buffer)
  /** Where the next byte goes. */
  private at = 0
  /** Where the range begins that is not in `ranges` yet. */
  private rangeStart = 0
  private ranges: Array<Uint8Array> = []
  /** Size of all frames that were begun since the last {@link take}. */
  bytes = 0

  begin(type: number, bodyBytes: number): void {
    this.bytes += frameHeaderBytes + bodyBytes
    this.reserve(frameHeaderBytes)
    this.view.setUint32(this.at, bodyBytes, true)
    this.view.setUint32(this.at + 4, type, true)
    this.at += frameHeaderBytes
  }

  byte(value: number): void {
    this.reserve(1)
    this.view.setUint8(this.at, value)
    this.at += 1
  }

  uint16(value: number): void {
    this.reserve(2)
    this.view.setUint16(this.at, value, true)
    this.at += 2
  }

  uint32(value: number): void {
    this.reserve(4)
    this.view.setUint32(this.at, value, true)
    this.at += 4
  }

  /** A natural number up to 2^53, as a float64. */
  natural(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** UTF-8 with its length in front, at most 65,535 bytes. */
  text(value: string): void {
    const encoded = utf8.encode(value)
    this.uint16(encoded.byteLength)
    this.raw(encoded)
  }

  /** Bytes with their length in front. They must not change any more. */
  bytestring(value: Uint8Array): void {
    this.uint32(value.byteLength)
    this.raw(value)
  }

  /** Bytes as they are. They must not change any more. */
  raw(value: Uint8Array): void {
    if (value.byteLength <= copyUpToBytes) {
      this.copied(value)
    } else {
      this.closeRange()
      this.ranges.push(value)
    }
  }

  /** A copy of bytes as they are. */
  copied(value: Uint8Array): void {
    this.reserve(value.byteLength)
    this.slab.set(value, this.at)
    this.at += value.byteLength
  }

  /** The ranges of all frames written so far, in order, and a fresh start. */
  take(): Array<Uint8Array> {
    this.closeRange()
    const taken = this.ranges
    this.ranges = []
    this.bytes = 0
    return taken
  }

  /** Nobody needs anything any more of what was taken so far, and nothing was written since. */
  reuse(): void {
    this.at = 0
    this.rangeStart = 0
    if (this.slab.byteLength <= maxKeptBytes) return
    this.slab = Buffer.allocUnsafeSlow(0)
    this.view = new DataView(this.slab.buffer)
  }

  /** Room for so many bytes in one range. */
  reserve(bytes: number): void {
    if (this.slab.byteLength - this.at >= bytes) return
    this.closeRange()
    // Half as much again, so that frames which get larger and larger do not take a new slab each.
    const roomy = Math.min(maxKeptBytes, Math.ceil(1.5 * bytes))
    this.slab = Buffer.allocUnsafeSlow(bytes <= slabBytes ? slabBytes : Math.max(bytes, roomy))
    this.view = new DataView(this.slab.buffer)
    this.at = 0
    this.rangeStart = 0
  }

  private closeRange(): void {
    if (this.at > this.rangeStart) this.ranges.push(this.slab.subarray(this.rangeStart, this.at))
    this.rangeStart = this.at
  }
}
