/**
 * The key-value service over the native protocol: `Kv` on top of a `RaftClient`.
 */
import * as RaftClient from "@effect-raft/core/RaftClient"
import type { RaftClientTransport } from "@effect-raft/core/RaftClientTransport"
import * as Session from "@effect-raft/core/Session"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { RaftError } from "@effect-raft/core/RaftError"
import { defaultMaxValueBytes, fromPrimitives, Kv } from "./Kv.ts"
import type { Entry, Primitives } from "./Kv.ts"
import type { KvCommand, KvReply } from "./KvCommand.ts"
import * as KvError from "./KvError.ts"
import { KvMachine } from "./KvMachine.ts"
import type { KvAnswer, KvQuery } from "./KvQuery.ts"

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
  return fromPrimitives({
    maxValueBytes,
    read: (key, consistency) =>
      client.queryWith({ _tag: "Get", key }, found, consistency === "stale" ? stale : linearizable),
    write: exactlyOnce
      ? inSession(yield* Session.proposer(client.sessions))
      : (command, replied) => client.proposeWith(command, { onDone: replied, onFailed: KvError.fromWrite })
  })
})

const stale = { consistency: "stale" } as const
const linearizable = { consistency: "linearizable" } as const

const found: RaftClient.Ending<KvQuery, KvAnswer, Option.Option<Entry>, KvError.KvError> = {
  onDone: (answer) => Effect.succeed(Option.fromNullOr(answer)),
  onFailed: KvError.fromRead
}

const inSession =
  (propose: (command: KvCommand) => Effect.Effect<KvReply, RaftError>): Primitives["write"] =>
  (command, replied) =>
    Effect.matchEffect(propose(command), {
      onSuccess: (reply) => replied(reply, command),
      onFailure: (error) => Effect.fail(KvError.fromWrite(error, command))
    })
