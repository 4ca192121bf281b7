/**
 * A connection in use: which calls went out on it and are not answered, under which numbers.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { ClientAnswer, FailedAnswer } from "../../ClientMessage.ts"
import type { NodeId } from "../../NodeId.ts"
import type { ClientConnection, ConnectionHandler } from "../../RaftClientTransport.ts"
import { Numbered } from "../Numbered.ts"
import type { Call } from "./Call.ts"

/** What the owner of a link hears. The calls are no longer the link's by then. */
export interface LinkOwner {
  readonly onDone: (link: Link, call: Call, bytes: Uint8Array) => void
  readonly onFailed: (link: Link, call: Call, answer: FailedAnswer) => void
  /** Some answers have come: there is room again. */
  readonly onRoom: (link: Link) => void
  /** The connection broke while these were under way; they still count as sent. */
  readonly onLost: (link: Link, calls: ReadonlyArray<Call>, detail: string) => void
}

export class Link implements ConnectionHandler {
  readonly endpoint: string
  private owner: LinkOwner
  private readonly underWay = new Numbered<Call>()
  private readonly end = Deferred.makeUnsafe<void>()
  private connection: ClientConnection | undefined
  /** Batches of answers that have come. */
  answered = 0
  private lastNumber = 0
  private isRetired = false
  private hasEnded = false

  constructor(endpoint: string, owner: LinkOwner) {
    this.endpoint = endpoint
    this.owner = owner
  }

  /** The transport has made the connection; `false` when it has broken since. */
  open(connection: ClientConnection): boolean {
    this.connection = connection
    return !this.hasEnded
  }

  /**
   * From now on another one hears what comes: a connection on which somebody was asked may serve calls later.
   */
  moveTo(owner: LinkOwner): void {
    this.owner = owner
  }

  /** Whose connection it is; `undefined` where it is lost. */
  get nodeId(): NodeId | undefined {
    return this.connection?.welcome.nodeId
  }

  /** Waits until the connection is lost, or no longer needed. */
  get ended(): Effect.Effect<void> {
    return Deferred.await(this.end)
  }

  /** Calls that are under way, those included for which nobody waits any more. */
  get size(): number {
    return this.underWay.size
  }

  get isFull(): boolean {
    return this.connection === undefined || this.underWay.size >= this.connection.welcome.maxInFlight
  }

  /** Sends a call; `false` when it surely did not leave. */
  send(call: Call): boolean {
    if (this.connection === undefined) return false
    const number = this.underWay.add(call)
    this.lastNumber = number
    call.isSent = true
    // On the wire a number has 32 bits.
    if (this.connection.send(call.request(number >>> 0))) return true
    call.isSent = false
    this.underWay.take(number)
    return false
  }

  /** Nothing more is sent; it ends when all that is under way is answered. */
  retire(): void {
    this.isRetired = true
    this.endIfIdle()
  }

  onAnswers(answers: ReadonlyArray<ClientAnswer>): void {
    this.answered += 1
    for (const answer of answers) {
      const call = this.underWay.take(this.numberOf(answer.id))
      if (call === undefined) continue
      call.isSent = false
      if (call.isOver) continue
      if (answer._tag === "Done") this.owner.onDone(this, call, answer.bytes)
      else this.owner.onFailed(this, call, answer)
    }
    this.owner.onRoom(this)
    this.endIfIdle()
  }

  onLost(detail: string): void {
    const lost = this.underWay.takeWhile(() => true).filter((call) => !call.isOver)
    this.connection = undefined
    this.finish()
    this.owner.onLost(this, lost, detail)
  }

  /** The last number that looked like this on the wire. */
  private numberOf(id: number): number {
    return this.lastNumber - ((this.lastNumber - id) >>> 0)
  }

  private endIfIdle(): void {
    if (this.isRetired && this.underWay.size === 0) this.finish()
  }

  private finish(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    Deferred.doneUnsafe(this.end, Effect.void)
  }
}
