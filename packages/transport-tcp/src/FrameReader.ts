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
 * - A frame that is larger than a slab is put together in a buffer of just its size. What comes behind its end in
 *   the same chunk is looked at when it has been read.
 * - A chunk that the reader may not keep, because the next bytes arrive where it lies, is copied: into the slab, or
 *   the buffer of a large frame. It is looked at in no other way ({@link FrameReader.copy}).
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
const noBytes = new Uint8Array(0)
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
  /** The buffer that is being read: the slab, a chunk in place, or a large frame. */
  private bytes = this.slab
  /** The buffer of a large frame, until that is whole. */
  private large: Uint8Array | undefined
  /** What came behind it. */
  private later: Uint8Array | undefined
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
    if (this.large !== undefined) {
      this.completeLarge(this.large, chunk)
    } else if (pending === 0) {
      this.begin(chunk)
    } else if (this.bytes === this.slab && this.slab.byteLength - this.end >= chunk.byteLength) {
      this.append(chunk)
    } else {
      this.moveToBuffer(pending, chunk)
    }
  }

  /**
   * Takes in as much of what arrived as there is room for, and tells how much that was; at least one byte. `chunk` may
   * be written again afterwards. To be called when {@link next} has said `false`, so for the rest of it as well.
   */
  copy(chunk: Uint8Array): number {
    if (this.large === undefined) this.makeRoom(chunk)
    const taken = chunk.subarray(0, this.bytes.byteLength - this.end)
    this.bytes.set(taken, this.end)
    this.end += taken.byteLength
    if (this.end === this.large?.byteLength) this.large = undefined
    return taken.byteLength
  }

  /** Steps to the next whole frame; `false` when there is none yet. */
  next(): boolean {
    if (this.later !== undefined && this.frameEnd === this.end) {
      const { later } = this
      this.later = undefined
      this.begin(later)
    }
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

  /** Takes in a chunk of which nothing is left over before it. */
  private begin(chunk: Uint8Array): void {
    if (chunk.byteLength >= this.policy.useInPlaceFromBytes) return this.readFrom(chunk, 0, chunk.byteLength)
    this.moveToSlab(noBytes, chunk.byteLength)
    this.append(chunk)
  }

  /** Brings the frame that has begun, and the chunk behind, to where there is room for them. */
  private moveToBuffer(pending: number, chunk: Uint8Array): void {
    const frameBytes = this.frameBytes(pending)
    if (!this.isLarge(frameBytes)) {
      this.moveToSlab(this.bytes.subarray(this.frameEnd, this.end), pending + chunk.byteLength)
      return this.append(chunk)
    }
    this.completeLarge(this.moveToLarge(frameBytes), chunk)
  }

  /** Brings what there is of a frame to a buffer of its size. */
  private moveToLarge(frameBytes: number): Uint8Array {
    const large = new Uint8Array(frameBytes)
    const pending = this.end - this.frameEnd
    large.set(this.bytes.subarray(this.frameEnd, this.end))
    this.readFrom(large, 0, pending)
    return large
  }

  /** Sees to it that behind what has arrived there is room for the rest of its frame, or else of the one in `chunk`. */
  private makeRoom(chunk: Uint8Array): void {
    const pending = this.end - this.frameEnd
    const frameBytes = pending === 0 ? frameBytesIn(chunk) : this.frameBytes(pending)
    if (this.isLarge(frameBytes)) {
      this.large = this.moveToLarge(frameBytes)
      return
    }
    // Of a frame that will be refused no more than its size is needed.
    const neededBytes = Math.min(frameBytes, this.policy.slabBytes)
    const hasRoom = this.bytes === this.slab && this.slab.byteLength - this.frameEnd >= neededBytes
    if (pending === 0 || !hasRoom) this.moveToSlab(this.bytes.subarray(this.frameEnd, this.end), neededBytes)
  }

  /** Brings what there is of a frame to where there is room for so much. */
  private moveToSlab(rest: Uint8Array, neededBytes: number): void {
    if (this.slab.byteLength - this.slabKeptBytes < neededBytes) {
      this.slab = new Uint8Array(Math.max(this.policy.slabBytes, neededBytes))
      this.slabKeptBytes = 0
    }
    const start = this.slabKeptBytes
    this.slab.set(rest, start)
    this.readFrom(this.slab, start, start + rest.byteLength)
  }

  private append(chunk: Uint8Array): void {
    this.slab.set(chunk, this.end)
    this.end += chunk.byteLength
  }

  private completeLarge(large: Uint8Array, chunk: Uint8Array): void {
    const missing = large.byteLength - this.end
    large.set(chunk.byteLength > missing ? chunk.subarray(0, missing) : chunk, this.end)
    this.end += Math.min(missing, chunk.byteLength)
    this.large = chunk.byteLength < missing ? large : undefined
    if (chunk.byteLength > missing) this.later = chunk.subarray(missing)
  }

  /** Size of the frame that has begun, of which so much is there; of its header where it is not known yet. */
  private frameBytes(pending: number): number {
    const isKnown = pending >= frameHeaderBytes
    return frameHeaderBytes + (isKnown ? this.view.getUint32(this.frameEnd, true) : 0)
  }

  /** Whether such a frame gets a buffer of its own; one that is too large is refused later. */
  private isLarge(frameBytes: number): boolean {
    return frameBytes > this.policy.slabBytes && frameBytes - frameHeaderBytes <= this.maxBodyBytes
  }

  private readFrom(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.bytes) this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.bytes = bytes
    this.frameEnd = start
    this.end = end
  }
}

/** Size of the frame that begins with `chunk`; of its header where not even that is there. */
const frameBytesIn = (chunk: Uint8Array): number => {
  if (chunk.byteLength < frameHeaderBytes) return frameHeaderBytes
  const view = new DataView(chunk.buffer, chunk.byteOffset, frameHeaderBytes)
  return frameHeaderBytes + view.getUint32(0, true)
}
