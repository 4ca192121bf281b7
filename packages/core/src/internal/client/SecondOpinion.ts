/**
 * What a client does when the node that it uses owes it answers and gives none: it asks another node who
 * leads.
 *
 * A leader that stands still, or is cut off from its peers, keeps its connections open. The transport
 * takes it for dead after a while; the other nodes know better, and sooner, for they elect another. So the
 * word of one of them is enough to go there. It is asked once and answers when it knows of another leader; a
 * leader that is only slow keeps its clients, for then nobody does.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ConnectionHandler, RaftClientTransport } from "../../RaftClientTransport.ts"
import type { ClusterId, GroupId } from "../../NodeId.ts"
import type { Link } from "./Link.ts"

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
  /** The node at `endpoint` says where another leader is; `null` when it leads itself. */
  readonly onOpinion: (link: Link, endpoint: string, leaderAt: string | null) => void
}

/** So many doubts long one node is asked, then another one: it might be cut off from whoever leads. */
const doubtsOfAQuestion = 10

/** Watches for as long as it is not interrupted. */
export const watch = (router: Doubter, settings: Settings): Effect.Effect<never> => {
  const { doubtMillis } = settings

  /** Until the node gives answers, or owes none any more. */
  const untilHeard = (silent: Link): Effect.Effect<void> =>
    Effect.suspend(() =>
      router.silentLink() === silent ? Effect.delay(untilHeard(silent), doubtMillis) : Effect.void
    )

  const look = Effect.suspend(() => {
    const silent = router.silentLink()
    const other = silent === undefined ? undefined : router.otherThan(silent.endpoint)
    if (silent === undefined || other === undefined) return Effect.void
    const opinion = Effect.map(ask(other, silent, settings), (leaderAt) => {
      if (leaderAt !== undefined) router.onOpinion(silent, other, leaderAt)
    })
    return Effect.timeoutOption(
      Effect.raceFirst(opinion, Effect.delay(untilHeard(silent), doubtMillis)),
      doubtMillis * doubtsOfAQuestion
    )
  })
  return router.whileBusy.pipe(
    Effect.andThen(Effect.sleep(doubtMillis)),
    Effect.andThen(look),
    Effect.forever
  )
}

/**
 * Where the leader is, as the node at `endpoint` learns; `null` when it leads itself, `undefined` when it does not say.
 * The connection serves for nothing else.
 */
const ask = (
  endpoint: string,
  silent: Link,
  settings: Settings
): Effect.Effect<string | null | undefined> => {
  const { clusterId, connectTimeoutMillis, groupId, transport } = settings
  return Effect.gen(function* () {
    const told = Deferred.makeUnsafe<string | null | undefined>()
    const tell = (leaderAt: string | null | undefined) =>
      void Deferred.doneUnsafe(told, Effect.succeed(leaderAt))
    const handler: ConnectionHandler = {
      onAnswers: ([answer]) => tell(answer?._tag === "Done" ? utf8.decode(answer.bytes) || null : undefined),
      onLost: () => tell(undefined)
    }
    const connection = yield* transport
      .connect({ endpoint, clusterId, groupId, handler })
      .pipe(Effect.timeoutOption(connectTimeoutMillis))
    const { nodeId } = silent
    if (Option.isNone(connection) || nodeId === undefined) return undefined
    const isAsked = connection.value.send({ _tag: "AwaitLeader", id: 1, otherThan: nodeId })
    return isAsked ? yield* Deferred.await(told) : undefined
  }).pipe(
    Effect.catch(() => Effect.undefined),
    Effect.scoped
  )
}

const utf8 = new TextDecoder()
