/**
 * Brings the calls of a client to a node that can serve them.
 *
 * There is one connection in use at a time. What cannot go out is parked; the seeker goes from node to node,
 * longer and longer pauses in between, until one takes it. A connection that is no longer the right one
 * stays until what went out on it is answered. No call has a fiber or a timer of its own here; those that there are
 * stand in `RouterFibers.ts`.
 */
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { FailedAnswer } from "../../ClientMessage.ts"
import type { ClusterId, GroupId } from "../../NodeId.ts"
import { Overloaded, RaftError, ShuttingDown } from "../../RaftError.ts"
import type { RaftErrorReason } from "../../RaftError.ts"
import type { ConnectFailed, RaftClientTransport } from "../../RaftClientTransport.ts"
import { Numbered } from "../Numbered.ts"
import { verdictOf } from "./Call.ts"
import type { Call } from "./Call.ts"
import { Endpoints } from "./Endpoints.ts"
import type { Link } from "./Link.ts"
import type * as SecondOpinion from "./SecondOpinion.ts"
import type { LinkOwner } from "./Link.ts"

export interface Settings {
  readonly transport: RaftClientTransport["Service"]
  readonly endpoints: ReadonlyArray<string>
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly timeoutMillis: number
  readonly connectTimeoutMillis: number
  /** How long a node may owe answers before another one is asked who leads. */
  readonly doubtMillis: number
  readonly firstPauseMillis: number
  readonly maxPauseMillis: number
  readonly maxCalls: number
  /** Whether it goes where a node says that the leader is. */
  readonly seeksLeader: boolean
}

/** A call is given up between this many ticks after it was made and one more. */
export const ticksOfCall = 32

export class Router implements LinkOwner, SecondOpinion.Doubter {
  private readonly settings: Settings
  private readonly endpoints: Endpoints
  /** Every call that has not ended, the oldest first. */
  private readonly calls = new Numbered<Call>()
  /** Calls that wait for a connection or for room on it. */
  private parked: Array<Call> = []
  private link: Link | undefined
  /** The connection that was looked at last, and what it had answered by then. */
  private looked: { readonly link: Link | undefined; readonly answered: number } = {
    link: undefined,
    answered: 0
  }
  private tick = 0
  /** Setbacks since something succeeded, and how many of the last ones were refusals. */
  private setbacks = 0
  private refusals = 0
  private lastProblem = "no node was asked yet"
  private isClosed = false
  /** Open while there are parked calls and no connection. */
  readonly wanted = Latch.makeUnsafe(false)
  /** Open while there are calls. */
  readonly busy = Latch.makeUnsafe(false)

  constructor(settings: Settings) {
    this.settings = settings
    this.endpoints = new Endpoints(settings.endpoints)
  }

  /** Calls that have not ended. */
  get size(): number {
    return this.calls.size
  }

  // --- calls ------------------------------------------------------------------------------------------

  /** Takes a call on; it ends with `onDone` or `onFailed`, unless it is abandoned before. */
  submit(call: Call): void {
    call.lastTick = this.tick + ticksOfCall
    const { maxCalls } = this.settings
    if (this.isClosed) this.refuse(call, new ShuttingDown())
    else if (this.calls.size >= maxCalls)
      this.refuse(call, new Overloaded({ bound: "maxCalls", limit: maxCalls }))
    else this.begin(call)
  }

  /** Nobody waits for it any more. */
  abandon(call: Call): void {
    this.over(call)
    // Those that nobody waits for are skipped when their turn comes; they must not pile up until then.
    if (this.parked.length > 64 + 2 * this.calls.size)
      this.parked = this.parked.filter((parked) => !parked.isOver)
  }

  private begin(call: Call): void {
    call.number = this.calls.add(call)
    if (this.calls.size === 1) this.busy.openUnsafe()
    const link = this.link
    if (link !== undefined && this.parked.length === 0 && !link.isFull && link.send(call)) return
    this.park(call)
  }

  private refuse(call: Call, reason: RaftErrorReason): void {
    call.isOver = true
    call.onFailed(reason)
  }

  private over(call: Call): void {
    call.isOver = true
    this.calls.take(call.number)
  }

  private fail(call: Call, reason: RaftErrorReason): void {
    this.over(call)
    call.onFailed(reason)
  }

  private park(call: Call): void {
    call.isSent = false
    this.parked.push(call)
    if (this.link === undefined) this.wanted.openUnsafe()
  }

  /** It came back from a connection; where that was left already, the present one may have room and be idle. */
  private parkAgain(call: Call): void {
    this.park(call)
    if (this.link !== undefined) this.unpark(this.link)
  }

  /** Sends what is parked, as far as there is room. */
  private unpark(link: Link): void {
    let sent = 0
    for (const call of this.parked) {
      if (!call.isOver && (link.isFull || !link.send(call))) break
      sent += 1
    }
    if (sent > 0) this.parked = this.parked.slice(sent)
  }

  /** Gives up the calls that have taken too long. To be called once per tick. */
  sweep(): void {
    this.tick += 1
    // All calls have the same time, so they expire in the order in which they were made.
    for (const call of this.calls.takeWhile(({ lastTick }) => lastTick <= this.tick)) {
      if (call.isOver) continue
      this.fail(call, call.withoutAnswer(this.settings.timeoutMillis, this.outOfTime()))
    }
    if (this.calls.size === 0) this.busy.closeUnsafe()
  }

  private outOfTime(): string {
    return this.link === undefined ? this.lastProblem : `${this.link.endpoint} did not answer`
  }

  /** Ends every call. */
  close(): void {
    this.isClosed = true
    for (const call of this.calls.takeWhile(() => true)) {
      if (call.isOver) continue
      const reason = call.withoutAnswer(0, "the client was closed before the answer came")
      this.fail(call, reason._tag === "Unreachable" ? new ShuttingDown() : reason)
    }
    this.parked = []
  }

  // --- what the links say -----------------------------------------------------------------------------

  onDone(link: Link, call: Call, bytes: Uint8Array): void {
    if (this.setbacks > 0) this.endpoints.served(link.endpoint)
    this.setbacks = 0
    this.over(call)
    call.onDone(bytes)
  }

  onFailed(link: Link, call: Call, { leaderAt, reason }: FailedAnswer): void {
    const verdict = verdictOf(reason)
    const isTold = verdict === "Tell" || (verdict === "InDoubt" && !call.isQuery)
    // First to where the next calls can be served: who is told may call again at once.
    if (verdict !== "Tell") this.leave(link, new RaftError({ reason }).message, leaderAt)
    if (isTold) this.fail(call, reason)
    else this.parkAgain(call)
  }

  onRoom(link: Link): void {
    if (this.link === link && this.parked.length > 0) this.unpark(link)
  }

  onLost(link: Link, calls: ReadonlyArray<Call>, detail: string): void {
    const problem = `the connection with ${link.endpoint} was lost: ${detail}`
    this.endpoints.failed(link.endpoint)
    this.leave(link, problem, null)
    for (const call of calls) {
      if (call.isQuery) this.parkAgain(call)
      else this.fail(call, call.withoutAnswer(0, problem))
    }
  }

  // --- which node ---------------------------------------------------------------------------------------

  /** The node to try next. */
  nextEndpoint(): string {
    return this.endpoints.next()
  }

  /** From now on calls go out here, if it is the right place. */
  use(link: Link, leaderAt: string | null): void {
    if (this.settings.seeksLeader && this.endpoints.follow(leaderAt)) {
      this.setback(`${link.endpoint} is not the leader`)
      link.retire()
      return
    }
    this.link = link
    this.refusals = 0
    this.wanted.closeUnsafe()
    this.unpark(link)
  }

  cannotConnect(error: ConnectFailed): void {
    this.endpoints.failed(error.endpoint)
    this.setback(error.message)
    this.refusals = error.isRefusal ? this.refusals + 1 : 0
    if (this.refusals < this.endpoints.size) return
    // Nobody will ever serve this client. Waiting would only hide it.
    const refused = this.parked
    this.parked = []
    this.wanted.closeUnsafe()
    for (const call of refused) if (!call.isOver) this.fail(call, call.withoutAnswer(0, error.message))
  }

  // --- doubts -------------------------------------------------------------------------------------------

  get whileBusy(): Effect.Effect<void> {
    return this.busy.await
  }

  silentLink(): Link | undefined {
    const { link } = this
    const { answered, link: before } = this.looked
    this.looked = { link, answered: link?.answered ?? 0 }
    return link !== undefined && link === before && link.answered === answered && link.size > 0
      ? link
      : undefined
  }

  otherThan(endpoint: string): string | undefined {
    return this.endpoints.otherThan(endpoint)
  }

  onOpinion(silent: Link, asked: Link, leaderAt: string | null): boolean {
    if (this.link !== silent) return false
    const problem = `${silent.endpoint} does not answer, and leads no more`
    this.endpoints.failed(silent.endpoint)
    if (leaderAt !== null) {
      this.leave(silent, problem, leaderAt)
      return false
    }
    this.setback(problem)
    asked.moveTo(this)
    this.use(asked, null)
    silent.retire()
    return true
  }

  /** The present link is of no use any more; what is under way on it is still answered. */
  private leave(link: Link, problem: string, leaderAt: string | null): void {
    if (this.link !== link) return
    this.link = undefined
    if (this.settings.seeksLeader) this.endpoints.follow(leaderAt)
    this.setback(problem)
    link.retire()
    if (this.parked.length > 0) this.wanted.openUnsafe()
  }

  private setback(problem: string): void {
    this.setbacks += 1
    this.lastProblem = problem
  }

  /**
   * None while there are nodes that were not asked yet in this round; then longer with each. `fraction` is of [0, 1).
   */
  pauseMillis(fraction: number): number {
    const rounds = Math.floor(this.setbacks / this.endpoints.size)
    if (rounds === 0 || this.setbacks % this.endpoints.size !== 0) return 0
    const { firstPauseMillis, maxPauseMillis } = this.settings
    // Clients that failed together must not come back together.
    return Math.min(maxPauseMillis, firstPauseMillis * 2 ** (rounds - 1)) * (0.5 + fraction / 2)
  }
}
