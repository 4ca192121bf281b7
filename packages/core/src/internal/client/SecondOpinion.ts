/**
 * What a client does when the node that it uses owes it answers and gives none: it asks another node who
 * leads.
 *
 * A leader that stands still, or is cut off from its peers, keeps its connections open. The transport
 * takes it for dead after a while; the other nodes know better, and sooner, for they elect another. So the
 * word of one of them is enough to go there. A leader that is only slow keeps its clients: the others say
 * that it still leads, and they are asked less and less often.
 */
import * as Effect from "effect/Effect"
import type { RaftClientTransport } from "../../RaftClientTransport.ts"
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
  /** The node at `endpoint` says where the leader is; `null` when it leads itself, or knows of none. */
  readonly onOpinion: (link: Link, endpoint: string, leaderAt: string | null) => void
}

/**
 * Once it has doubts it asks twice as often, for the others need an election timeout to see what it suspects; so
 * many times, and then it takes more and more time from one question to the next.
 */
const eagerQuestions = 12
const eagerParts = 2
const maxPatience = 16

/** Watches for as long as it is not interrupted. */
export const watch = (router: Doubter, settings: Settings): Effect.Effect<never> => {
  let asked = 0
  const pauseMillis = () => {
    const { doubtMillis } = settings
    if (asked === 0) return doubtMillis
    if (asked <= eagerQuestions) return doubtMillis / eagerParts
    return doubtMillis * Math.min(maxPatience, 2 ** (asked - eagerQuestions))
  }
  const look = Effect.suspend(() => {
    const silent = router.silentLink()
    const other = silent === undefined ? undefined : router.otherThan(silent.endpoint)
    if (silent === undefined || other === undefined) {
      asked = 0
      return Effect.void
    }
    asked += 1
    return Effect.map(ask(other, settings), (leaderAt) => {
      if (leaderAt !== undefined) router.onOpinion(silent, other, leaderAt)
    })
  })
  return router.whileBusy.pipe(
    Effect.andThen(Effect.suspend(() => Effect.sleep(pauseMillis()))),
    Effect.andThen(look),
    Effect.forever
  )
}

/** What the node at `endpoint` says; `undefined` when it says nothing. The connection serves for nothing else. */
const ask = (endpoint: string, settings: Settings): Effect.Effect<string | null | undefined> => {
  const { clusterId, connectTimeoutMillis, groupId, transport } = settings
  return transport.connect({ endpoint, clusterId, groupId, handler: deaf }).pipe(
    Effect.map(({ welcome }): string | null | undefined => welcome.leaderAt),
    Effect.timeoutOrElse({ duration: connectTimeoutMillis, orElse: () => Effect.undefined }),
    Effect.catch(() => Effect.undefined),
    Effect.scoped
  )
}

const deaf = { onAnswers: () => undefined, onLost: () => undefined }
