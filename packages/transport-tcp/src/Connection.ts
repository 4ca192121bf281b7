/**
 * An established connection: one fiber reads, one writes, one watches whether the peer is still there.
 *
 * Both directions are used, so one connection serves a pair of nodes. It lives until one of the three
 * fibers fails, which is how every connection ends, or until its owner interrupts it.
 */
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import * as Effect from "effect/Effect"
import { Doorbell } from "./Doorbell.ts"
import { MalformedFrame } from "./FrameReader.ts"
import { FrameWriter } from "./FrameWriter.ts"
import * as Handshake from "./Handshake.ts"
import type { Introduced } from "./Introduction.ts"
import * as MessageCodec from "./MessageCodec.ts"
import { ConnectionLost } from "./PeerError.ts"

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

export class Connection {
  private readonly options: ConnectionOptions
  private readonly bell = new Doorbell()
  private readonly writer = new FrameWriter()
  private keepAliveDue = false
  /** Whether anything was heard, or a message written, since the last look. */
  private heard = false
  private wrote = false

  constructor(options: ConnectionOptions) {
    this.options = options
    options.reader.limit(options.maxFrameBytes)
  }

  /** Says that there is something to send. */
  ring(): void {
    this.bell.ring()
  }

  /** Carries messages until the connection breaks. */
  get run(): Effect.Effect<never, ConnectionLost> {
    return Effect.raceFirst(this.read, Effect.raceFirst(this.write, this.watch))
  }

  // --- reading ----------------------------------------------------------------------------------------

  private get read(): Effect.Effect<never, ConnectionLost> {
    const { reader, wire } = this.options
    const absorb = (chunks: ReadonlyArray<Uint8Array>): MalformedFrame | undefined => {
      this.heard = true
      for (const chunk of chunks) {
        reader.feed(chunk)
        const problem = this.deliver()
        if (problem !== undefined) return problem
      }
      return undefined
    }
    const readOnce = Effect.flatMap(wire.pull, (chunks) => unless(absorb(chunks)))
    return Effect.suspend(() => unless(this.deliver())).pipe(
      Effect.andThen(Effect.forever(readOnce, { disableYield: true }))
    )
  }

  /** Hands over every whole frame that has arrived. */
  private deliver(): MalformedFrame | undefined {
    const { onMessage, reader } = this.options
    try {
      while (reader.next()) {
        if (reader.type === Handshake.frameTypes.KeepAlive) continue
        const message = MessageCodec.decode(reader)
        if (message instanceof MalformedFrame) return message
        if (MessageCodec.holdsViews(message)) reader.keep()
        onMessage(message)
      }
      return undefined
    } catch (error) {
      if (error instanceof MalformedFrame) return error
      throw error
    }
  }

  // --- writing ----------------------------------------------------------------------------------------

  private get write(): Effect.Effect<never, ConnectionLost> {
    const { wire } = this.options
    const flush: Effect.Effect<void, ConnectionLost> = Effect.suspend(() =>
      this.fill() ? Effect.andThen(wire.write(this.writer.take()), flush) : Effect.void
    )
    return Effect.forever(Effect.andThen(this.bell.wait, flush), { disableYield: true })
  }

  /** Encodes what waits, up to one write; `false` when nothing does. */
  private fill(): boolean {
    if (this.keepAliveDue) Handshake.encodeKeepAlive(this.writer)
    this.keepAliveDue = false
    while (this.writer.bytes < writeBytes) {
      const message = this.options.nextMessage()
      if (message === undefined) break
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
        this.bell.ring()
      }
      this.heard = false
      this.wrote = false
      return Effect.void
    })
    return Effect.forever(Effect.andThen(Effect.sleep(keepAliveMillis), look))
  }
}

const unless = (problem: MalformedFrame | undefined): Effect.Effect<void, ConnectionLost> =>
  problem === undefined
    ? Effect.void
    : Effect.fail(new ConnectionLost({ detail: `it sent ${problem.detail}` }))
