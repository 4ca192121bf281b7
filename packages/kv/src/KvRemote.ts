/**
 * The key-value service over the native protocol: `Kv` on top of a `RaftClient`.
 */
import * as RaftClient from "@effect-raft/core/RaftClient"
import type { RaftClientTransport } from "@effect-raft/core/RaftClientTransport"
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
}

/** `Kv` on the nodes at `endpoints`, addresses in the words of the client transport. */
export const layer = (
  options: Options
): Layer.Layer<Kv, RaftClient.InvalidClientOptions, RaftClientTransport> =>
  Layer.effect(
    Kv,
    Effect.map(RaftClient.make(KvMachine.machine, options), (client) => over(client, options))
  )

const over = (
  client: (typeof KvMachine.Client)["Service"],
  { maxValueBytes = defaultMaxValueBytes }: Options
): Kv["Service"] =>
  fromPrimitives({
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
      Effect.mapError(client.propose(command), (error) =>
        KvError.fromWrite(error, command._tag === "Put" ? command.value.byteLength : 0)
      )
  })
