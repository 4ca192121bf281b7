/**
 * What a client does when the node that it uses owes it answers and gives none: it asks another node who
 * leads.
 *
 * A leader that stands still, or is cut off from its peers, keeps its connections open. The transport takes
 * it for dead after a while; the other nodes know better, and sooner, for they elect another. So the word of
 * one of them is enough to go there. It is asked once and answers when it knows of another leader; a leader
 * that is only slow keeps its clients, for then nobody does. Where the one that was asked leads itself, the
 * connection serves the calls from then on, and none has to be made when time is dear.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type { ClientRequest } from "../../ClientMessage.ts"
import type { RaftClientTransport } from "../../RaftClientTransport.ts"
import type { ClusterId, GroupId, NodeId } from "../../NodeId.ts"
import { Call } from "./Call.ts"
import { Link } from "./Link.ts"
import type { LinkOwner } from "./Link.ts"

export interface Settings {
  readonly transport: RaftClientTransport["Service"]
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly connectTimeoutMillis: number
  /** How long a node may owe answers before another one is asked. */
  readonly doubtMillis: number
}

/** The router, as far as this is concerned. */
export interface Doubter {
  /** Waits until there are calls. */
  readonly whileBusy: Effect.Effect<void>
  /** The connection in use, if it owes answers and has given none since this was called last. */
  readonly silentLink: () => Link | undefined
  /** A node to ask in place of this one. */
  readonly otherThan: (endpoint: string) => string | undefined
  /**
   * The node at the other end of `asked` says where another leader is than at `silent`; `null` when it leads
   * itself. Tells whether calls go out on `asked` from now on.
   */
  readonly onOpinion: (silent: Link, asked: Link, leaderAt: string | null) => boolean
}

/** So many doubts long one node is asked, then another one: it might be cut off from whoever leads. */
const doubtsOfAQuestion = 10

/** Watches for as long as it is not interrupted. Connections that are used live among `links`. */
export const watch = (
  router: Doubter,
  links: FiberSet.FiberSet<void>,
  settings: Settings
): Effect.Effect<never> => {
  const { doubtMillis } = settings

  /** Until the node gives answers, or owes none any more. */
  const untilHeard = (silent: Link): Effect.Effect<void> =>
    Effect.suspend(() =>
      router.silentLink() === silent ? Effect.delay(untilHeard(silent), doubtMillis) : Effect.void
    )

  const look = Effect.gen(function* () {
    const silent = router.silentLink()
    const doubted = silent?.nodeId
    if (silent === undefined || doubted === undefined) return
    const other = router.otherThan(silent.endpoint)
    if (other === undefined) return
    const question = new Question(router, silent, doubted, other)
    const asking = yield* FiberSet.run(links, ask(question, settings))
    yield* Effect.raceFirst(question.ended, Effect.delay(untilHeard(silent), doubtMillis)).pipe(
      Effect.timeoutOption(doubtMillis * doubtsOfAQuestion),
      Effect.ensuring(Effect.suspend(() => (question.isUsed ? Effect.void : Fiber.interrupt(asking))))
    )
  })
  return router.whileBusy.pipe(
    Effect.andThen(Effect.sleep(doubtMillis)),
    Effect.andThen(look),
    Effect.forever
  )
}

/** Connects, asks, and keeps the connection as long as it is used. */
const ask = (question: Question, { connectTimeoutMillis, ...settings }: Settings): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { clusterId, groupId, transport } = settings
    const { link } = question
    const connection = yield* transport
      .connect({ endpoint: link.endpoint, clusterId, groupId, handler: link })
      .pipe(Effect.timeout(connectTimeoutMillis))
    if (!link.open(connection) || !link.send(question)) return
    yield* question.ended
    if (question.isUsed) yield* link.ended
  }).pipe(Effect.ignore, Effect.scoped, Effect.ensuring(Effect.sync(() => question.finish())))

/** A question to one node who leads. On the wire it is a call like any other, but nobody made it. */
class Question extends Call {
  readonly link: Link
  /** Whether the connection serves the router's calls now. */
  isUsed = false
  private readonly router: Doubter
  private readonly silent: Link
  private readonly doubted: NodeId
  private readonly end = Deferred.makeUnsafe<void>()

  constructor(router: Doubter, silent: Link, doubted: NodeId, endpoint: string) {
    super()
    this.router = router
    this.silent = silent
    this.doubted = doubted
    this.link = new Link(endpoint, soleOwner)
  }

  /** Completes when it is answered, or will not be. */
  get ended(): Effect.Effect<void> {
    return Deferred.await(this.end)
  }

  finish(): void {
    Deferred.doneUnsafe(this.end, Effect.void)
  }

  override get isQuery(): boolean {
    return true
  }

  override request(id: number): ClientRequest {
    return { _tag: "AwaitLeader", id, otherThan: this.doubted }
  }

  /** At once, for the connection may be lost in the next moment, and then the router must hear of it. */
  override onDone(bytes: Uint8Array): void {
    this.isUsed = this.router.onOpinion(this.silent, this.link, utf8.decode(bytes) || null)
    this.finish()
  }

  override onFailed(): void {
    this.finish()
  }
}

/** Of a connection on which there is a question and nothing else. */
const soleOwner: LinkOwner = {
  onDone: (_, question, bytes) => question.onDone(bytes),
  onFailed: (_, question, { reason }) => question.onFailed(reason),
  onRoom: () => undefined,
  onLost: (_, questions, detail) => {
    for (const question of questions) question.onFailed(question.withoutAnswer(0, detail))
  }
}

const utf8 = new TextDecoder()
