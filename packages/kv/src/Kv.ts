/**
 * A small linearizable store: what a program does with the key-value service.
 *
 * `Kv.layer` is the store on a node of this process; `KvClient.layer` is the same service over the
 * network. Neither tries a write again whose outcome is unknown: it could overwrite what someone else
 * wrote in between. Who wants to write again reads first, or writes on a condition.
 */
import type { Consistency } from "@effect-raft/core/Raft"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Condition, KvCommand, KvReply, Revision } from "./KvCommand.ts"
import { maxOverheadBytes } from "./KvCommand.ts"
import * as KvError from "./KvError.ts"
import * as KvKey from "./KvKey.ts"
import { KvMachine } from "./KvMachine.ts"

/**
 * A value and its revision. The bytes are the caller's own; of a remote store small ones share a buffer of a few
 * kilobytes, as Node's small buffers do, so who keeps a few of many values for long keeps copies.
 */
export interface Entry {
  readonly value: Uint8Array
  readonly revision: Revision
}

/** What must hold for a put to take effect; at most one of the two. */
export type PutOptions =
  | { readonly ifAbsent?: false; readonly ifMatch?: Revision }
  | { readonly ifAbsent: true; readonly ifMatch?: never }

/** How a compare-and-set went. Where it did not swap, `revision` is what stands there, or `null`. */
export type CompareAndSetResult =
  | { readonly swapped: true; readonly revision: Revision }
  | { readonly swapped: false; readonly revision: Revision | null }

/** How large a value may be where `RaftConfig.maxCommandBytes` is `maxCommandBytes`. */
export const maxValueBytesFor = (maxCommandBytes: number): number =>
  Math.max(0, maxCommandBytes - maxOverheadBytes)

/** With the default of `RaftConfig.maxCommandBytes`: 1 MiB, less what key and header take. */
export const defaultMaxValueBytes = maxValueBytesFor(1024 * 1024)

export class Kv extends Context.Service<
  Kv,
  {
    /** The largest value that is taken, in bytes. */
    readonly maxValueBytes: number

    /** Reads a value. Linearizable unless told otherwise. By the native protocol "lease" is "linearizable". */
    readonly get: (
      key: string,
      options?: { readonly consistency?: Consistency }
    ) => Effect.Effect<Option.Option<Entry>, KvError.KvError>

    /** Writes a value and gives its revision. Fails with `ConditionFailed` where the condition does. */
    readonly put: (
      key: string,
      value: Uint8Array,
      options?: PutOptions
    ) => Effect.Effect<Revision, KvError.KvError>

    /** Removes a key; tells whether it was there. */
    readonly delete: (
      key: string,
      options?: { readonly ifMatch?: Revision }
    ) => Effect.Effect<boolean, KvError.KvError>

    /** Writes a value if the present one has the `expected` revision; `null` expects that there is none. */
    readonly compareAndSet: (
      key: string,
      options: { readonly expected: Revision | null; readonly value: Uint8Array }
    ) => Effect.Effect<CompareAndSetResult, KvError.KvError>
  }
>()("effect-raft/kv/Kv") {
  /** The store on the node of this process. */
  static readonly layer: Layer.Layer<Kv, never, KvMachine> = Layer.suspend(() => Kv.layerWith())

  /** As `layer`, for a node whose `RaftConfig.maxCommandBytes` is not the default. */
  static readonly layerWith = (options?: {
    readonly maxCommandBytes?: number
  }): Layer.Layer<Kv, never, KvMachine> =>
    Layer.effect(
      Kv,
      Effect.map(KvMachine.Raft, (raft) =>
        makeLocal(
          raft,
          options?.maxCommandBytes === undefined
            ? defaultMaxValueBytes
            : maxValueBytesFor(options.maxCommandBytes)
        )
      )
    )
}

/** The part of the service that differs between a local and a remote store. */
export interface Primitives {
  readonly maxValueBytes: number
  readonly read: (
    key: string,
    consistency: Consistency
  ) => Effect.Effect<Option.Option<Entry>, KvError.KvError>
  /** Ends as `replied` says of the machine's reply. */
  readonly write: <A>(command: KvCommand, replied: Replied<A>) => Effect.Effect<A, KvError.KvError>
}

/** What a reply means to whoever sent the command. */
export type Replied<A> = (reply: KvReply, command: KvCommand) => Effect.Effect<A, KvError.KvError>

/** The service, checked at its edge, over a way to read and a way to write. */
export const fromPrimitives = ({ maxValueBytes, read, write }: Primitives): Kv["Service"] => {
  const put: Kv["Service"]["put"] = (key, value, options) => {
    const problem = KvKey.problemWith(key)
    if (problem !== undefined) return invalidKey(problem)
    if (value.byteLength > maxValueBytes) return tooLarge(value.byteLength, maxValueBytes)
    const condition = conditionOf(options)
    return write(
      condition === undefined ? { _tag: "Put", key, value } : { _tag: "Put", key, value, condition },
      written
    )
  }

  return Kv.of({
    maxValueBytes,
    get: (key, options) => {
      const problem = KvKey.problemWith(key)
      return problem === undefined ? read(key, options?.consistency ?? "linearizable") : invalidKey(problem)
    },
    put,
    delete: (key, options) =>
      Effect.suspend(() => {
        const problem = KvKey.problemWith(key)
        if (problem !== undefined) return invalidKey(problem)
        const revision = options?.ifMatch
        return write(
          revision === undefined
            ? { _tag: "Delete", key }
            : { _tag: "Delete", key, condition: { _tag: "IfMatch", revision } },
          deleted
        )
      }),
    compareAndSet: (key, { expected, value }) =>
      put(key, value, expected === null ? { ifAbsent: true } : { ifMatch: expected }).pipe(
        Effect.map((revision): CompareAndSetResult => ({ swapped: true, revision })),
        Effect.catchReason("KvError", "ConditionFailed", ({ revision }) =>
          Effect.succeed<CompareAndSetResult>({ swapped: false, revision })
        )
      )
  })
}

const makeLocal = (raft: (typeof KvMachine.Raft)["Service"], maxValueBytes: number): Kv["Service"] =>
  fromPrimitives({
    maxValueBytes,
    read: (key, consistency) =>
      Effect.mapError(
        raft.read(
          (view) => {
            const stored = view.get(key)
            // A copy: who writes into what it got must not write into the machine.
            return stored === undefined
              ? Option.none()
              : Option.some({ value: new Uint8Array(stored.value), revision: stored.revision })
          },
          { consistency }
        ),
        KvError.fromRead
      ),
    write: (command, replied) =>
      Effect.matchEffect(raft.propose(command), {
        onSuccess: (reply) => replied(reply, command),
        onFailure: (error) => Effect.fail(KvError.fromWrite(error, command))
      })
  })

const conditionOf = (options: PutOptions | undefined): Condition | undefined => {
  if (options?.ifAbsent === true) return { _tag: "IfAbsent" }
  return options?.ifMatch === undefined ? undefined : { _tag: "IfMatch", revision: options.ifMatch }
}

const invalidKey = (detail: string) => Effect.fail(KvError.because(new KvError.KeyInvalid({ detail })))

const tooLarge = (bytes: number, maxBytes: number) =>
  Effect.fail(KvError.because(new KvError.ValueTooLarge({ bytes, maxBytes })))

const written: Replied<Revision> = (reply, { key }) =>
  reply._tag === "Written" ? Effect.succeed(reply.revision) : unexpected(key, reply)

const deleted: Replied<boolean> = (reply, { key }) =>
  reply._tag === "Deleted" ? Effect.succeed(reply.deleted) : unexpected(key, reply)

/** A reply that is not the one to the command asked: a failed condition, or a machine gone wrong. */
const unexpected = (key: string, reply: KvReply): Effect.Effect<never, KvError.KvError> =>
  reply._tag === "ConditionFailed"
    ? Effect.fail(KvError.because(new KvError.ConditionFailed({ key, revision: reply.revision })))
    : Effect.die(new Error(`The machine answered ${reply._tag} to another command`))

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Reads a value as UTF-8 text. */
export const getText = (
  key: string,
  options?: { readonly consistency?: Consistency }
): Effect.Effect<Option.Option<string>, KvError.KvError, Kv> =>
  Effect.map(
    Kv.use((kv) => kv.get(key, options)),
    Option.map(({ value }) => decoder.decode(value))
  )

/** Writes a text as UTF-8. */
export const putText = (
  key: string,
  text: string,
  options?: PutOptions
): Effect.Effect<Revision, KvError.KvError, Kv> => Kv.use((kv) => kv.put(key, encoder.encode(text), options))
