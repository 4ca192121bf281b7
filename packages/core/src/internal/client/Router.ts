/**
 * Brings the calls of a client to a node that can serve them.
 *
 * | fiber | lives as long as | waits for |
 * | --- | --- | --- |
 * | seeker | the router | calls without a connection, a connection, a pause |
 * | link | a connection | its end |
 * | sweeper | the router | a tick, while there are calls |
 * | second opinion | a router that seeks the leader | a while, while there are calls |
 * | question | its answer, or the connection if that is used then | another node's word |
 *
 * There is one connection in use at a time. What cannot go out is parked; the seeker goes from node to node,
 * longer and longer pauses in between, until one takes it. A connection that is no longer the right one
 * stays until what went out on it is answered. No call has a fiber or a timer of its own here.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { FailedAnswer } from "../../ClientMessage.ts"
import type { ClusterId, GroupId } from "../../NodeId.ts"
import { Overloaded, RaftError, ShuttingDown } from "../../RaftError.ts"
import type { RaftErrorReason } from "../../RaftError.ts"
import { ConnectFailed } from "../../RaftClientTransport.ts"
import type { RaftClientTransport } from "../../RaftClientTransport.ts"
import { Numbered } from "../Numbered.ts"
import { verdictOf } from "./Call.ts"
import type { Call } from "./Call.ts"
import { Endpoints } from "./Endpoints.ts"
import { Link } from "./Link.ts"
import * as SecondOpinion from "./SecondOpinion.ts"
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
const ticksOfCall = 32

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

/** Starts a router, which ends with the scope, and every call with it. */
export const make = (settings: Settings): Effect.Effect<Router, never, Scope.Scope> =>
  Effect.gen(function* () {
    const router = new Router(settings)
    const links = yield* FiberSet.make<void>()
    yield* Effect.addFinalizer(() => Effect.sync(() => router.close()))
    const seekOnce = Effect.gen(function* () {
      yield* router.wanted.await
      const pauseMillis = router.pauseMillis(yield* Random.next)
      if (pauseMillis > 0) yield* Effect.sleep(pauseMillis)
      const connected = Deferred.makeUnsafe<void>()
      yield* FiberSet.run(links, hold(router, settings, connected))
      yield* Deferred.await(connected)
    })
    yield* Effect.forever(seekOnce).pipe(Effect.annotateLogs({ fiber: "client seeker" }), Effect.forkScoped)

    const tickMillis = Math.max(1, Math.ceil(settings.timeoutMillis / ticksOfCall))
    const sweepOnce = Effect.gen(function* () {
      yield* router.busy.await
      yield* Effect.sleep(tickMillis)
      router.sweep()
    })
    yield* Effect.forever(sweepOnce).pipe(Effect.annotateLogs({ fiber: "client sweeper" }), Effect.forkScoped)
    if (settings.seeksLeader) {
      yield* SecondOpinion.watch(router, links, settings).pipe(
        Effect.annotateLogs({ fiber: "client second opinion" }),
        Effect.forkScoped
      )
    }
    return router
  })

/** Connects to the next node, and stays with the connection until its end. */
const hold = (router: Router, settings: Settings, connected: Deferred.Deferred<void>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const endpoint = router.nextEndpoint()
    const link = new Link(endpoint, router)
    const { clusterId, connectTimeoutMillis, groupId, transport } = settings
    const connection = yield* transport.connect({ endpoint, clusterId, groupId, handler: link }).pipe(
      Effect.timeoutOrElse({
        duration: connectTimeoutMillis,
        orElse: () => Effect.fail(noAnswerFrom(endpoint, connectTimeoutMillis))
      })
    )
    if (link.open(connection)) router.use(link, connection.welcome.leaderAt)
    Deferred.doneUnsafe(connected, Effect.void)
    yield* link.ended
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => router.cannotConnect(error))),
    Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(connected, Effect.void)))
  )

const noAnswerFrom = (endpoint: string, millis: number): ConnectFailed =>
  new ConnectFailed({ endpoint, detail: `no answer within ${millis} ms`, isRefusal: false })
