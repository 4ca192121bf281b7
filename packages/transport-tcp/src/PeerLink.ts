/**
 * Everything between this node and one peer.
 *
 * One connection serves both directions. A node dials a peer while it has no connection with it, whoever
 * opened that one; where both dial at the same moment there are two, and each side stays with the one it
 * had first, so that its messages keep their order, and with the other as a spare. So an answer travels
 * where the question came from, also to a node that this one does not list yet: a node that was cut off
 * must be able to hear of new members from those very members (thesis, section 4.1).
 *
 * While nobody is reached, messages wait for one attempt at most: they are dropped when it fails, for by
 * the time another one succeeds they would be old.
 */
import type { NodeId } from "@effect-raft/core/NodeId"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import type { TransportHandler } from "@effect-raft/core/RaftTransport"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Address from "./Address.ts"
import { Connection } from "./Connection.ts"
import type { Attributes, Hello } from "./Handshake.ts"
import * as Introduction from "./Introduction.ts"
import * as MessageCodec from "./MessageCodec.ts"
import { Outbox } from "./Outbox.ts"
import { ConnectionLost } from "./PeerError.ts"
import type { PeerError } from "./PeerError.ts"
import type { Security } from "./Security.ts"
import type { TcpSettings } from "./TcpTransport.ts"
import * as Wire from "./Wire.ts"

export interface PeerLinkOptions {
  readonly peer: NodeId
  readonly hello: Hello
  readonly handler: TransportHandler
  readonly tcp: TcpSettings
  readonly security: Security
  /** Says something once, not once per retry. */
  readonly warn: (words: string) => Effect.Effect<void>
  /** The last connection is gone. */
  readonly onIdle: (link: PeerLink) => void
}

/**
 * How long a link rests when its last connection broke, before it dials again. Mostly the peer has just died, and the
 * dials would fail one after the other while this node is busy electing the next leader.
 */
const restMillis = 50

/** One of the connections of a link: at most one that we dialled and one that the peer dialled. */
interface Strand {
  readonly dialled: boolean
  readonly connection: Connection
  readonly end: Deferred.Deferred<never, ConnectionLost>
}

export class PeerLink {
  /** Where to dial; `undefined` for a node that is not among the peers and only called in. */
  address: Address.HostPort | undefined
  attributes: Attributes = {}
  private readonly options: PeerLinkOptions
  private readonly outbox: Outbox
  private strands: ReadonlyArray<Strand> = []
  /** Open while there is no connection. */
  private readonly alone = Latch.makeUnsafe(true)
  /** The peer was connected, and a refused dial would be news. */
  private mayBeDead = false
  /** The last connection broke, and nobody was dialled since. */
  private hasJustLost = false
  /** When the first of the dials failed that have failed one after another. */
  private failingSinceMillis: number | undefined
  private closed = false

  constructor(options: PeerLinkOptions, address: Address.HostPort | undefined) {
    this.options = options
    this.address = address
    this.outbox = new Outbox({ maxMessages: options.tcp.outboxMessages, maxBytes: options.tcp.outboxBytes })
  }

  get isConnected(): boolean {
    return this.strands.length > 0
  }

  send(message: RaftMessage): boolean {
    const bytes = MessageCodec.encodedBytes(message)
    if (this.closed || bytes > this.options.tcp.maxFrameBytes || !this.outbox.offer(message, bytes))
      return false
    const connection = this.strands[0]?.connection
    if (message._tag === "AppendEntries" && message.blocks.length > 0) connection?.push()
    else connection?.ring()
    return true
  }

  /** Takes leave for good: nothing is sent, handed over or reported any more. */
  close(): void {
    this.closed = true
    this.outbox.clear()
    for (const strand of this.strands) endStrand(strand, "the link was closed")
  }

  // --- connections ------------------------------------------------------------------------------------

  /** Carries messages over an introduced wire until it breaks. */
  carry(introduced: Introduction.Introduced, dialled: boolean): Effect.Effect<never, ConnectionLost> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.attach(introduced, dialled)),
      (strand) => Effect.raceFirst(strand.connection.run, Deferred.await(strand.end)),
      (strand) =>
        Effect.andThen(
          introduced.wire.destroy,
          Effect.sync(() => this.detach(strand))
        )
    ).pipe(Effect.tapError((lost) => this.lost(lost)))
  }

  private attach(introduced: Introduction.Introduced, dialled: boolean): Strand {
    const { handler, peer, tcp } = this.options
    const strand: Strand = {
      dialled,
      end: Deferred.makeUnsafe(),
      connection: new Connection({
        ...introduced,
        ...tcp,
        nextMessage: () => (this.strands[0] === strand ? this.outbox.take() : undefined),
        onMessage: (message) => {
          if (!this.closed) handler.onMessage(peer, message)
        }
      })
    }
    // A peer dials while it has no connection: one that it dialled before is dead at its end.
    const wasAlone = this.strands.length === 0
    const replaced = this.strands.filter((other) => other.dialled === dialled)
    this.strands = [...this.strands.filter((other) => other.dialled !== dialled), strand]
    for (const other of replaced) endStrand(other, "the peer connected anew")
    this.alone.closeUnsafe()
    this.failingSinceMillis = undefined
    this.mayBeDead = true
    this.strands[0]?.connection.ring()
    if (wasAlone && !this.closed) handler.onPeerFound?.(peer)
    return strand
  }

  private detach(strand: Strand): void {
    this.strands = this.strands.filter((other) => other !== strand)
    this.strands[0]?.connection.ring()
    if (this.strands.length > 0) return
    this.hasJustLost = true
    this.options.onIdle(this)
    this.alone.openUnsafe()
  }

  private lost(lost: ConnectionLost): Effect.Effect<void> {
    if (this.closed) return Effect.void
    this.options.handler.onPeerLost(this.options.peer)
    return Effect.logInfo(`Lost the connection with ${this.name}: ${lost.message}`)
  }

  private get name(): string {
    const { peer } = this.options
    return this.address === undefined ? peer : `${peer} at ${Address.format(this.address)}`
  }

  // --- dialling ---------------------------------------------------------------------------------------

  /** Keeps a connection with `address`, for as long as it is not interrupted. */
  keepDialling(address: Address.HostPort): Effect.Effect<never> {
    const { redialMaxMillis, redialMinMillis } = this.options.tcp
    const backoff = Schedule.exponential(redialMinMillis).pipe(
      (growing) => Schedule.min([growing, Schedule.spaced(redialMaxMillis)]),
      Schedule.jittered
    )
    return this.alone.await.pipe(
      Effect.andThen(this.rest),
      Effect.andThen(this.dialOnce(address)),
      Effect.tapError((error) => this.explain(error)),
      Effect.retry(backoff),
      // The backoff has no end, so nothing is left to fail with.
      Effect.orDie,
      Effect.forever,
      Effect.annotateLogs({ fiber: `link to ${this.options.peer}` })
    )
  }

  /** Waits a little after a loss; the peer may call meanwhile, and then there is nobody to dial. */
  private get rest(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.hasJustLost) return Effect.void
      this.hasJustLost = false
      return Effect.andThen(Effect.sleep(restMillis), this.alone.await)
    })
  }

  /**
   * Dials, and stays with the connection until it ends. Succeeds when that was after a while: then it is
   * worth dialling again at once. A connection that breaks as soon as it is made fails, as no answer does.
   */
  private dialOnce(address: Address.HostPort): Effect.Effect<void, PeerError> {
    const { hello, security, tcp } = this.options
    return Effect.gen({ self: this }, function* () {
      const wire = yield* Wire.dial(address, { security, timeoutMillis: tcp.handshakeTimeoutMillis })
      const introduced = yield* Effect.timeoutOrElse(Introduction.call(wire, hello, tcp.protocolVersions), {
        duration: tcp.handshakeTimeoutMillis,
        orElse: () =>
          Effect.fail(
            new ConnectionLost({ detail: `no answer to the handshake in ${tcp.handshakeTimeoutMillis} ms` })
          )
      })
      this.attributes = introduced.attributes
      const sinceMillis = yield* Clock.currentTimeMillis
      return yield* Effect.catch(this.carry(introduced, true), (lost) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
          nowMillis - sinceMillis < tcp.redialMaxMillis ? Effect.fail(lost) : Effect.void
        )
      )
    }).pipe(Effect.scoped)
  }

  /** Says why there is no connection, where that is news, and drops what waited for it. */
  private explain(error: PeerError): Effect.Effect<void> {
    if (!this.isConnected) this.outbox.clear()
    if (
      error._tag === "DialFailed" &&
      error.nobodyListens &&
      this.mayBeDead &&
      !this.isConnected &&
      !this.closed
    ) {
      this.mayBeDead = false
      this.options.handler.onPeerLost(this.options.peer)
    }
    switch (error._tag) {
      case "DialFailed":
      case "ConnectionLost":
      case "NotOpenYet":
        return this.missing(`No connection with ${this.name}: ${error.message}`)
      case "NotAPeer":
        return this.options.warn(`Whoever answers for ${this.name} is no peer: ${error.message}`)
      case "Distrusted":
        return this.options.warn(`Whoever answers for ${this.name} is not trusted: ${error.message}`)
      case "Refused":
        return this.options.warn(`${this.name} refuses this node: ${error.message}`)
    }
  }

  /** A peer that is being started, or started again, is not worth a warning; one that stays away is. */
  private missing(words: string): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
      this.failingSinceMillis ??= nowMillis
      const isLong = nowMillis - this.failingSinceMillis >= this.options.tcp.silenceMillis
      return isLong && !this.isConnected ? this.options.warn(words) : Effect.logDebug(words)
    })
  }
}

const endStrand = (strand: Strand, detail: string): void => {
  Deferred.doneUnsafe(strand.end, Effect.fail(new ConnectionLost({ detail })))
}
