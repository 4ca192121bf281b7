/**
 * An established connection: bytes come and go in callbacks, and one fiber watches whether the peer is still
 * there.
 *
 * Both directions are used, so one connection serves a pair of nodes. A connection lives until it breaks, or its
 * owner interrupts it.
 *
 * An actor says many things in one turn; they leave together, in a microtask, when the turn is over and before the
 * event loop goes on. That is one write per connection and turn, without a timer; and clients' answers, which a
 * turn ends with, leave before it. Entries do not wait for that: they are sent at once, because the leader
 * writes to its own disk in the same turn, which may take as long as the way to a follower and back.
 */
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import * as Effect from "effect/Effect"
import { MalformedFrame } from "./FrameReader.ts"
import { FrameWriter } from "./FrameWriter.ts"
import * as Handshake from "./Handshake.ts"
import type { Introduced } from "./Introduction.ts"
import * as MessageCodec from "./MessageCodec.ts"
import { ConnectionLost } from "./PeerError.ts"
import type { Sender } from "./Wire.ts"

export interface ConnectionOptions extends Omit<Introduced, "version"> {
  readonly maxFrameBytes: number
  /** A connection on which nothing was sent for so long sends a sign of life. */
  readonly keepAliveMillis: number
  /** A peer from which nothing was heard for so long is taken for dead. */
  readonly silenceMillis: number
  /** The next message to send; `undefined` when there is none, or another connection sends them. */
  readonly nextMessage: () => RaftMessage | undefined
  readonly onMessage: (message: RaftMessage) => void
}

/** One write takes about this much, so that a slow peer holds back the outbox and not the socket's buffer. */
const writeBytes = 1024 * 1024

/** How a connection is ended that has ended, or not begun. */
const ended = (): void => {}

export class Connection {
  private readonly options: ConnectionOptions
  private readonly writer = new FrameWriter()
  private keepAliveDue = false
  /** Whether anything was heard, or a message written, since the last look. */
  private heard = false
  private wrote = false
  /** There is one while bytes flow. */
  private send: Sender | undefined
  private isFlushDue = false
  /** The peer has not yet taken what was sent. */
  private isBehind = false

  constructor(options: ConnectionOptions) {
    this.options = options
    options.reader.limit(options.maxFrameBytes)
  }

  /** Says that there is something to send. */
  ring(): void {
    if (this.isFlushDue || this.isBehind || this.send === undefined) return
    this.isFlushDue = true
    queueMicrotask(this.flushSoon)
  }

  /** Sends all that waits, now. */
  push(): void {
    if (!this.isBehind) this.attempt(this.sendWaiting)
  }

  /** Carries messages until the connection breaks. */
  get run(): Effect.Effect<never, ConnectionLost> {
    return Effect.raceFirst(this.flow, this.watch)
  }

  private get flow(): Effect.Effect<never, ConnectionLost> {
    return Effect.callback((resume) => {
      this.end = (exit) => {
        this.end = ended
        this.send = undefined
        resume(exit)
      }
      // What came with the last words of the handshake.
      this.attempt(this.deliver)
      const send = this.options.wire.flow({
        onBytes: (chunk) => {
          this.heard = true
          this.attempt(() => {
            this.options.reader.feed(chunk)
            this.deliver()
          })
        },
        onLent: (chunk) => {
          this.heard = true
          this.attempt(() => this.deliverLent(chunk))
        },
        onDrained: () => {
          this.isBehind = false
          this.ring()
        },
        onLost: (lost) => this.end(Effect.fail(lost))
      })
      if (this.end !== ended) this.send = send
      this.ring()
      return Effect.sync(() => {
        this.end = ended
        this.send = undefined
      })
    })
  }

  /** Ends the connection; what `flow` puts here does so once. */
  private end: (exit: Effect.Effect<never, ConnectionLost>) => void = ended

  /** Nothing is thrown at a socket: it would end the process. */
  private attempt(work: () => void): void {
    if (this.end === ended) return
    try {
      work()
    } catch (error) {
      const isPeers = error instanceof MalformedFrame
      this.end(
        isPeers ? Effect.fail(new ConnectionLost({ detail: `it sent ${error.detail}` })) : Effect.die(error)
      )
    }
  }

  /** Hands over every whole frame that has arrived. */
  private readonly deliver = (): void => {
    const { onMessage, reader } = this.options
    while (reader.next()) {
      if (reader.type === Handshake.frameTypes.KeepAlive) continue
      const message = MessageCodec.decode(reader)
      if (message instanceof MalformedFrame) throw message
      if (MessageCodec.holdsViews(message)) reader.keep()
      onMessage(message)
    }
  }

  /** Hands over what can be copied out of `chunk`, so that nothing is left in there. */
  private deliverLent(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength;) {
      at += this.options.reader.copy(chunk.subarray(at))
      this.deliver()
    }
  }

  /** Behind the microtasks that are queued already. */
  private readonly flushSoon = (): void => queueMicrotask(this.flush)

  private readonly flush = (): void => {
    this.isFlushDue = false
    this.push()
  }

  /** Sends what waits, as far as the peer keeps up. */
  private readonly sendWaiting = (): void => {
    while (this.send !== undefined && this.fill()) {
      const sent = this.send(this.writer.take())
      if (sent === "Taken") this.writer.reuse()
      this.isBehind = sent === "Behind"
      if (this.isBehind) return
    }
  }

  /** Encodes what waits, up to one write; `false` when nothing does. */
  private fill(): boolean {
    if (this.keepAliveDue) Handshake.encodeKeepAlive(this.writer)
    this.keepAliveDue = false
    while (this.writer.bytes < writeBytes) {
      const message = this.options.nextMessage()
      if (message === undefined) break
      if (MessageCodec.isGone(message)) continue
      MessageCodec.encode(this.writer, message)
      this.wrote = true
    }
    return this.writer.bytes > 0
  }

  // --- watching ---------------------------------------------------------------------------------------

  /** Looks up once per `keepAliveMillis`, instead of at the clock for every message. */
  private get watch(): Effect.Effect<never, ConnectionLost> {
    const { keepAliveMillis, silenceMillis } = this.options
    let silentMillis = 0
    const look = Effect.suspend(() => {
      silentMillis = this.heard ? 0 : silentMillis + keepAliveMillis
      if (silentMillis >= silenceMillis) {
        return Effect.fail(new ConnectionLost({ detail: `nothing was heard for ${silentMillis} ms` }))
      }
      if (!this.wrote) {
        this.keepAliveDue = true
        this.ring()
      }
      this.heard = false
      this.wrote = false
      return Effect.void
    })
    return Effect.forever(Effect.andThen(Effect.sleep(keepAliveMillis), look))
  }
}
