/**
 * Backups of a running node, one at a time.
 *
 * While one is read, the machine keeps what it was beside what it has become, so a reader that stands
 * still must not keep it for ever: after {@link patienceMillis} without taking a piece it is let go, and
 * its stream fails when it asks again.
 */
import * as Backup from "@effect-raft/core/Backup"
import type { RaftError } from "@effect-raft/core/RaftError"
import * as Clock from "effect/Clock"
import * as Digest from "effect/crypto/Digest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as KvApi from "./KvApi.ts"
import { KvMachine } from "./KvMachine.ts"

export interface KvBackups {
  /** A response whose body is a backup of this moment. */
  readonly take: Effect.Effect<HttpServerResponse.HttpServerResponse, typeof KvApi.Unavailable.Type>
}

/** How long a reader may stand still, in milliseconds. */
export const patienceMillis = 60_000

/** The reader of a backup stood still for too long. */
class ReaderTooSlow extends Data.TaggedError("ReaderTooSlow")<{}> {}

/** A backup that is being read. */
interface Reading {
  /** `undefined` when it was let go. */
  pieces: Iterator<Uint8Array> | undefined
  /** When the reader last took a piece. */
  takenMillis: number
}

type Raft = (typeof KvMachine.Raft)["Service"]

export const make = (raft: Raft): Effect.Effect<KvBackups, never, Scope.Scope> =>
  Effect.gen(function* () {
    const digest = yield* Layer.build(Digest.layerWebCrypto)
    let reading: Reading | undefined

    const end = (ended: Reading) =>
      Effect.sync(() => {
        ended.pieces = undefined
        if (reading === ended) reading = undefined
      })

    const watch = (watched: Reading): Effect.Effect<void> =>
      Effect.gen(function* () {
        const stillMillis = (yield* Clock.currentTimeMillis) - watched.takenMillis
        if (watched.pieces === undefined) return
        if (stillMillis >= patienceMillis) return yield* end(watched)
        yield* Effect.sleep(patienceMillis - stillMillis)
        return yield* watch(watched)
      })

    const take = Effect.gen(function* () {
      if (reading !== undefined) return yield* busy
      const begun: Reading = { pieces: undefined, takenMillis: yield* Clock.currentTimeMillis }
      reading = begun
      return yield* begin(begun).pipe(Effect.onError(() => end(begun)))
    })

    const scope = yield* Effect.scope
    const begin = Effect.fnUntraced(function* (begun: Reading) {
      const { clusterId, groupId } = yield* raft.status
      const { meta, pieces } = yield* Effect.mapError(raft.snapshot, unavailable)
      const header = {
        clusterId,
        groupId,
        nodeId: raft.nodeId,
        machine: KvMachine.machine.name,
        takenAtMillis: yield* Clock.currentTimeMillis,
        snapshot: meta
      }
      begun.pieces = pieces[Symbol.iterator]()
      const body = Backup.encode(header, contentsOf(begun)).pipe(
        Stream.provideContext(digest),
        Stream.ensuring(end(begun))
      )
      yield* watch(begun).pipe(Effect.annotateLogs({ fiber: "backup-watch" }), Effect.forkIn(scope))
      return HttpServerResponse.stream(body, {
        contentType: KvApi.backupContentType,
        headers: { "content-disposition": `attachment; filename="${clusterId}-${meta.lastIndex}.backup"` }
      })
    })

    return { take }
  })

const contentsOf = (reading: Reading): Stream.Stream<Uint8Array, ReaderTooSlow> =>
  Stream.unfold(undefined, () =>
    Effect.gen(function* () {
      if (reading.pieces === undefined) return yield* new ReaderTooSlow()
      reading.takenMillis = yield* Clock.currentTimeMillis
      const next = reading.pieces.next()
      return next.done === true ? undefined : ([next.value, undefined] as const)
    })
  )

const busy = Effect.fail<typeof KvApi.Unavailable.Type>({
  error: "Unavailable",
  message: "another backup of this node is under way; wait for it, or ask another node",
  outcome: "none",
  reason: "Overloaded"
})

const unavailable = ({ message, reason }: RaftError): typeof KvApi.Unavailable.Type => ({
  error: "Unavailable",
  message,
  outcome: "none",
  reason: reason._tag
})
