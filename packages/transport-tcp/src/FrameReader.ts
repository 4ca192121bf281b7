/**
 * Incoming bytes, cut into frames.
 *
 * The blocks of entries that a peer sends stay where they arrive: the log keeps views of the receive
 * buffer, so a byte that was handed over is never written again. That decides how buffers are used:
 *
 * - Small chunks are copied, one after the other, into a slab of 64 KiB. One buffer per chunk would be
 *   one per frame, and fresh buffers were the greatest cost in a trial (HOTPATH.md).
 * - After a frame of which nothing was kept (a heartbeat, an answer) its place is used again. So a slab
 *   holds kept bytes only, and an entry in the log keeps no more alive than its neighbours in the log
 *   and one partly filled slab per connection. 64 KiB is small enough for that to be nothing.
 * - A chunk of some kilobytes has a buffer of its own already, of its own size, and is used in place.
 */
import * as Schema from "effect/Schema"
import { frameHeaderBytes } from "./FrameWriter.ts"

/** Why bytes from a peer are no frame, or a frame is no message. */
export class MalformedFrame extends Schema.TaggedError<MalformedFrame>()("MalformedFrame", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** How a reader uses its buffers. */
export interface BufferPolicy {
  /** Size of a slab, if the frame that is being put together is no larger. */
  readonly slabBytes: number
  /** Chunks of this size and more are not copied, unless a frame has begun before them. */
  readonly useInPlaceFromBytes: number
}

const defaultPolicy: BufferPolicy = { slabBytes: 64 * 1024, useInPlaceFromBytes: 4 * 1024 }
const utf8 = new TextDecoder("utf-8", { fatal: true })

/**
 * Feed it chunks; after each, call {@link next} until it says `false` and read the frame in between.
 * The reading functions throw {@link MalformedFrame} where the frame is too short or holds nonsense.
 */
export class FrameReader {
  /** Type of the present frame. */
  type = 0
  private slab: Uint8Array = new Uint8Array(0)
  /** Up to here the slab may not be written again. */
  private slabKeptBytes = 0
  /** The buffer that is being read: the slab, or a large chunk in place. */
  private bytes = this.slab
  private view: DataView = new DataView(this.slab.buffer)
  /** The next frame begins here; after {@link next} it is the end of the present one. */
  private frameEnd = 0
  /** Where the next byte of the present frame is read. */
  private at = 0
  /** End of what arrived. */
  private end = 0
  private maxBodyBytes: number
  private readonly policy: BufferPolicy

  constructor(maxBodyBytes: number, policy: BufferPolicy = defaultPolicy) {
    this.maxBodyBytes = maxBodyBytes
    this.policy = policy
  }

  /** Frames with a larger body than this are refused from now on. */
  limit(maxBodyBytes: number): void {
    this.maxBodyBytes = maxBodyBytes
  }

  /** Takes in what arrived. `chunk` must not be written again. */
  feed(chunk: Uint8Array): void {
    const pending = this.end - this.frameEnd
    if (pending === 0 && chunk.byteLength >= this.policy.useInPlaceFromBytes) {
      this.readFrom(chunk, 0, chunk.byteLength)
    } else if (
      this.bytes === this.slab &&
      pending > 0 &&
      this.slab.byteLength - this.end >= chunk.byteLength
    ) {
      this.slab.set(chunk, this.end)
      this.end += chunk.byteLength
    } else {
      this.moveToSlab(pending, chunk)
    }
  }

  /** Steps to the next whole frame; `false` when there is none yet. */
  next(): boolean {
    if (this.end - this.frameEnd < frameHeaderBytes) return false
    const bodyBytes = this.view.getUint32(this.frameEnd, true)
    if (bodyBytes > this.maxBodyBytes) {
      throw new MalformedFrame({
        detail: `a frame of ${bodyBytes} bytes; at most ${this.maxBodyBytes} are accepted`
      })
    }
    if (this.end - this.frameEnd < frameHeaderBytes + bodyBytes) return false
    const header = this.view.getUint32(this.frameEnd + 4, true)
    if (header > 0xff) throw new MalformedFrame({ detail: "a frame for a channel that was not opened" })
    this.type = header
    this.at = this.frameEnd + frameHeaderBytes
    this.frameEnd = this.at + bodyBytes
    return true
  }

  /** Takes `count` bytes that are no frame, as the preamble of a connection; `undefined` until they are there. */
  takeRaw(count: number): Uint8Array | undefined {
    if (this.end - this.frameEnd < count) return undefined
    this.frameEnd += count
    return this.bytes.slice(this.frameEnd - count, this.frameEnd)
  }

  /** The bytes that were fed and not read yet; only to look at. */
  peek(): Uint8Array {
    return this.bytes.subarray(this.frameEnd, this.end)
  }

  /** Says that somebody keeps views of the present frame. */
  keep(): void {
    if (this.bytes === this.slab) this.slabKeptBytes = this.frameEnd
  }

  /** Bytes of the present frame that were not read yet. */
  remaining(): number {
    return this.frameEnd - this.at
  }

  /** The bytes of the present frame that were not read yet; only to look at. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.at, this.frameEnd)
  }

  byte(): number {
    return this.view.getUint8(this.advance(1))
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true)
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true)
  }

  natural(): number {
    const value = this.view.getFloat64(this.advance(8), true)
    if (!Number.isSafeInteger(value) || value < 0)
      throw new MalformedFrame({ detail: `${value} is no natural number` })
    return value
  }

  text(): string {
    const byteLength = this.uint16()
    const start = this.advance(byteLength)
    try {
      return utf8.decode(this.bytes.subarray(start, start + byteLength))
    } catch {
      throw new MalformedFrame({ detail: "a text that is not UTF-8" })
    }
  }

  /** A view of the frame, valid for ever if {@link keep} is called before the next chunk comes. */
  bytestring(): Uint8Array {
    const byteLength = this.uint32()
    const start = this.advance(byteLength)
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, byteLength)
  }

  /** Says that the frame must be read to its end by now. */
  finish(): void {
    if (this.at !== this.frameEnd)
      throw new MalformedFrame({ detail: `${this.remaining()} bytes too many in a frame` })
  }

  private advance(bytes: number): number {
    const start = this.at
    if (this.frameEnd - start < bytes) throw new MalformedFrame({ detail: "a frame that is cut off" })
    this.at = start + bytes
    return start
  }

  private moveToSlab(pending: number, chunk: Uint8Array): void {
    const rest = this.bytes.subarray(this.frameEnd, this.end)
    const neededBytes = pending + chunk.byteLength
    const roomBytes = Math.max(neededBytes, this.expectedBytes(pending))
    if (this.slab.byteLength - this.slabKeptBytes < roomBytes) {
      this.slab = new Uint8Array(Math.max(this.policy.slabBytes, roomBytes))
      this.slabKeptBytes = 0
    }
    const start = this.slabKeptBytes
    this.slab.set(rest, start)
    this.slab.set(chunk, start + pending)
    this.readFrom(this.slab, start, start + neededBytes)
  }

  /** Room for the frame that has begun and, if it is a large one, for what comes in the same chunk as its end. */
  private expectedBytes(pending: number): number {
    if (pending < frameHeaderBytes) return 0
    const frameBytes =
      frameHeaderBytes + Math.min(this.view.getUint32(this.frameEnd, true), this.maxBodyBytes)
    const { slabBytes } = this.policy
    return frameBytes > slabBytes ? frameBytes + slabBytes : frameBytes
  }

  private readFrom(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.bytes) this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.bytes = bytes
    this.frameEnd = start
    this.end = end
  }
}
