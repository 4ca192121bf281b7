/**
 * A socket that carries parcels, at either end of a client's connection.
 *
 * Writing: what is posted within one turn of the event loop leaves in one frame and one write, when the turn
 * is over; or before, where whoever posts asks for it. While the system has not taken all that was
 * written nothing else is, so that a slow reader is felt here, as a queue that grows, and one buffer serves the
 * connection for ever.
 *
 * Reading: the socket flows; each chunk is handed to whoever reads at the moment, the handshake first and
 * the traffic after it. Anything malformed ends the connection.
 */
import type * as Net from "node:net"
import { frameTypes } from "./ClientHandshake.ts"
import { FrameReader, MalformedFrame } from "./FrameReader.ts"
import { FrameWriter } from "./FrameWriter.ts"
import * as Parcel from "./Parcel.ts"

export interface ParcelSocketOptions {
  /** The type of the frames that carry what is posted here. */
  readonly frameType: number
  /** Frames with a larger body are refused while the handshake lasts. */
  readonly maxHandshakeBytes: number
  /** The connection is gone. Called once, and nothing is called after it. */
  readonly onLost: (detail: string) => void
}

/** Reads what has arrived, up to where it is incomplete; may throw `MalformedFrame`. */
export type Reading = (reader: FrameReader) => void

/** How a connection ends when the other end wanted it so. */
export const closedByOther = "the other end closed it"

/** A frame is closed when it has this size; what is left goes into the next one. */
const frameBytes = 256 * 1024

/** A buffer of up to this size is kept for the next write. */
const keptBytes = 512 * 1024

/** Chunks are fresh from the system and may be kept, so only a frame in two pieces is copied. */
const buffers = { slabBytes: 4 * 1024, useInPlaceFromBytes: 1 }

export class ParcelSocket {
  /** Something arrived since this was last set to `false`. */
  heard = false
  private readonly socket: Net.Socket
  private readonly options: ParcelSocketOptions
  private readonly reader: FrameReader
  private reading: Reading | undefined
  private waiting: Array<Parcel.Parcel> = []
  private isFlushDue = false
  private isWriting = false
  /** Nothing is read until everything is written. */
  private isPaused = false
  private isOpen = true
  private trouble: string | undefined
  private buffer = new Uint8Array(0)
  private view = new DataView(this.buffer.buffer)

  constructor(socket: Net.Socket, options: ParcelSocketOptions) {
    this.socket = socket
    this.options = options
    this.reader = new FrameReader(options.maxHandshakeBytes, buffers)
    socket.on("data", this.onData)
    socket.on("error", (error) => (this.trouble ??= error.message))
    socket.on("close", () => this.lose(this.trouble ?? closedByOther))
  }

  // --- writing ----------------------------------------------------------------------------------------

  /** Parcels that are not written yet. */
  get queued(): number {
    return this.waiting.length
  }

  /** Queues a parcel; `false` when the connection is gone. */
  post(parcel: Parcel.Parcel): boolean {
    if (!this.isOpen) return false
    this.waiting.push(parcel)
    // What comes while a write is under way goes out when that is done, from the same buffer.
    if (!this.isFlushDue && !this.isWriting) {
      this.isFlushDue = true
      queueMicrotask(this.flush)
    }
    return true
  }

  /** Writes frames of the handshake, or a sign of life. */
  say(encode: (writer: FrameWriter) => void): void {
    if (!this.isOpen) return
    const writer = new FrameWriter()
    encode(writer)
    for (const range of writer.take()) this.socket.write(range, this.onWritten)
  }

  /** Writes what waits, now; what the system has not taken goes first. */
  readonly flush = (): void => {
    this.isFlushDue = false
    if (!this.isOpen || this.waiting.length === 0 || this.isAnythingLeft) return
    const { bytes, count } = this.nextFrame()
    const [buffer, view] = this.room(bytes)
    const size = Parcel.encode(buffer, view, this.options.frameType, this.waiting, count)
    this.waiting = count === this.waiting.length ? [] : this.waiting.slice(count)
    this.isWriting = true
    this.socket.write(buffer.subarray(0, size), this.onWritten)
  }

  private nextFrame(): { readonly bytes: number; readonly count: number } {
    let bytes = Parcel.batchHeaderBytes
    let count = 0
    while (count < this.waiting.length && bytes < frameBytes) {
      bytes += Parcel.parcelBytes(this.waiting[count]!)
      count += 1
    }
    return { bytes, count }
  }

  private room(bytes: number): readonly [Uint8Array, DataView] {
    if (this.buffer.byteLength >= bytes) return [this.buffer, this.view]
    // Twice the need, so that it settles soon; thousands of quiet connections must not have 512 KiB each.
    const buffer = new Uint8Array(Math.max(bytes, Math.min(keptBytes, 2 * bytes)))
    const view = new DataView(buffer.buffer)
    if (buffer.byteLength <= keptBytes) {
      this.buffer = buffer
      this.view = view
    }
    return [buffer, view]
  }

  /**
   * The system has not taken everything, so the buffer is in use and a callback is to come. Mostly it takes all at
   * once: the buffer is free then before the callback says so.
   */
  private get isAnythingLeft(): boolean {
    return this.socket.writableLength > 0
  }

  private readonly onWritten = (): void => {
    if (this.isAnythingLeft) return
    this.isWriting = false
    this.flush()
    if (this.isPaused && this.isOpen && this.waiting.length === 0) this.resume()
  }

  // --- reading ----------------------------------------------------------------------------------------

  /** From now on `reading` reads, beginning with what is there already. */
  read(reading: Reading, maxBodyBytes?: number): void {
    if (maxBodyBytes !== undefined) this.reader.limit(maxBodyBytes)
    this.reading = reading
    this.advance()
  }

  /** Stops reading until everything that waits to be written is. */
  pauseUntilWritten(): void {
    if (this.isPaused || (this.waiting.length === 0 && !this.isWriting)) return
    this.isPaused = true
    this.socket.pause()
  }

  private resume(): void {
    this.isPaused = false
    this.socket.resume()
  }

  private readonly onData = (chunk: Uint8Array): void => {
    this.heard = true
    this.reader.feed(chunk)
    this.advance()
  }

  private advance(): void {
    if (!this.isOpen) return
    try {
      this.reading?.(this.reader)
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
      this.lose(`it sent ${error.detail}`)
    }
  }

  // --- the end ----------------------------------------------------------------------------------------

  /** Ends the connection and says so. */
  lose(detail: string): void {
    if (!this.isOpen) return
    this.close()
    this.options.onLost(detail)
  }

  /** Ends the connection silently. */
  close(): void {
    this.isOpen = false
    this.waiting = []
    this.socket.destroy()
  }

  /** Ends the connection silently, after what was said last. */
  closeAfter(encode: (writer: FrameWriter) => void): void {
    this.say(encode)
    this.isOpen = false
    this.waiting = []
    this.socket.end(() => this.socket.destroy())
  }
}

/** A sign of life, and the answer to it. */
export const ping = (writer: FrameWriter): void => writer.begin(frameTypes.Ping, 0)
export const pong = (writer: FrameWriter): void => writer.begin(frameTypes.Pong, 0)
