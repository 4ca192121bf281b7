/**
 * The key-value service over the native protocol: `Kv` on top of a `RaftClient`.
 */
import * as RaftClient from "@effect-raft/core/RaftClient"
import type { RaftClientTransport } from "@effect-raft/core/RaftClientTransport"
import * as Session from "@effect-raft/core/Session"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { defaultMaxValueBytes, fromPrimitives, Kv } from "./Kv.ts"
import * as KvError from "./KvError.ts"
import { KvMachine } from "./KvMachine.ts"

/** Settings of a native client. */
export interface Options extends RaftClient.Options {
  /** The largest value that is sent at all, in bytes. Default: that of a node with default settings. */
  readonly maxValueBytes?: number
  /**
   * Whether writes go in a session: one whose answer is lost is sent again and applied once, so that
   * `OutcomeUnknown` is left for a session that expired meanwhile. Costs a command more at the first write.
   * Default false.
   */
  readonly exactlyOnce?: boolean
}

/** `Kv` on the nodes at `endpoints`, addresses in the words of the client transport. */
export const layer = (
  options: Options
): Layer.Layer<Kv, RaftClient.InvalidClientOptions, RaftClientTransport> => Layer.effect(Kv, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const { exactlyOnce = false, maxValueBytes = defaultMaxValueBytes } = options
  const client = yield* RaftClient.make(KvMachine.machine, options)
  const propose = exactlyOnce ? yield* Session.proposer(client.sessions) : client.propose
  return fromPrimitives({
    maxValueBytes,
    read: (key, consistency) =>
      Effect.mapBoth(
        client.query(
          { _tag: "Get", key },
          { consistency: consistency === "stale" ? consistency : "linearizable" }
        ),
        {
          onSuccess: Option.fromNullOr,
          onFailure: KvError.fromRead
        }
      ),
    write: (command) =>
      Effect.mapError(propose(command), (error) =>
        KvError.fromWrite(error, command._tag === "Put" ? command.value.byteLength : 0)
      )
  })
})
