/**
 * The port to the program that is replicated.
 *
 * A state machine answers commands. Every node applies the same commands in the same order, so `apply`
 * must depend on nothing but its arguments: no clock, no randomness, no input or output. Time, where it
 * is needed, is `meta.timestampMillis`, which the leader wrote into the entry.
 *
 * It comes in two forms. {@link Service} takes a reducer over a plain value, which suits small states.
 * {@link ServiceOf} takes a {@link Instance} factory, for large states in a structure of their own.
 */
import * as Bytes from "effect/Bytes"
import * as Context from "effect/Context"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import type { LogIndex } from "./LogIndex.ts"
import type { Raft } from "./Raft.ts"
import type { RaftClient } from "./RaftClient.ts"
import type { Term } from "./Term.ts"

/** What `apply` may know besides the command; the same on every node. */
export interface ApplyMeta {
  readonly index: LogIndex
  readonly term: Term
  /**
   * The leader's clock when it took the command, in milliseconds since the epoch. Never less than in the entry before;
   * after the leader's clock was set it comes near to it by and by (`consensus/LogClock`).
   */
  readonly timestampMillis: number
  /**
   * The version that the group runs at this command, 0 at first. A machine that has learnt to do something
   * in another way does it in the old way until the group has switched.
   */
  readonly machineVersion: number
}

/** One running copy of a machine. Used by one fiber; every function is synchronous. */
export interface Instance<Command, Reply, View> {
  /** Applies one command. Must not throw: what it does on one node it does on all. */
  readonly apply: (command: Command, meta: ApplyMeta) => Reply
  /** What a read sees: the present state. It must not be changed, nor kept after the read. */
  readonly view: () => View
  /**
   * The present state in pieces. Cheap to call; later commands do not change what it yields, however
   * late it is consumed. It is consumed at most once.
   */
  readonly snapshot: () => Iterable<Uint8Array>
  /**
   * Begins to replace the state by what `snapshot` yielded, of a copy that ran `version`. The present state is
   * applied to and read until the new one is whole, if that ever comes. See also {@link restoration}.
   */
  readonly restore: (version: number) => Restoration
  /** The group has switched to a newer version: brings the state into its form. */
  readonly upgrade?: (from: number, to: number) => void
}

/** A state that is being put together from a snapshot. A machine has one at a time: the last that was begun. */
export interface Restoration {
  /**
   * Takes the next piece; they may be cut anywhere. Its bytes never change, so they may be kept. Should take
   * milliseconds at most.
   */
  readonly add: (piece: Uint8Array) => void
  /**
   * There are no more: this is the machine's state from now on. Throws, and leaves the state alone, where it is none.
   */
  readonly finish: () => void
}

/** A restoration that needs all of the snapshot at once, which suits small states. */
export const restoration = (replace: (snapshot: Uint8Array) => void): Restoration => {
  const pieces: Array<Uint8Array> = []
  return {
    add: (piece) => void pieces.push(piece),
    finish: () => replace(Bytes.concat(pieces))
  }
}

/** Restores an instance from all pieces of a snapshot at once. */
export const restoreFrom = (
  instance: Pick<Instance<never, unknown, unknown>, "restore">,
  pieces: Iterable<Uint8Array>,
  version = 0
): void => {
  const restoring = instance.restore(version)
  for (const piece of pieces) restoring.add(piece)
  restoring.finish()
}

/**
 * Bytes and back. `encode` and `decode` throw a `SchemaError` on what does not fit. What `encode` gives is the
 * caller's to keep, and the same for equal values on every node: answers to sessions are replicated state. What
 * `decode` gives may be a view of the bytes: a machine copies what it keeps of a command, whose bytes are gone later.
 */
export interface BinaryCodec<A> {
  readonly encode: (value: A) => Uint8Array
  readonly decode: (bytes: Uint8Array) => A
}

/** A machine: its name, how its commands and replies become bytes, and how a copy is made. */
export interface StateMachine<Command, Reply, View> {
  /** Names the machine in errors, metrics and files. */
  readonly name: string
  readonly command: BinaryCodec<Command>
  readonly reply: BinaryCodec<Reply>
  /** The highest version that this program can run; it can run all lower ones too. Default 0. */
  readonly version?: number
  readonly make: () => Instance<Command, Reply, View>
  /** Answers an encoded query; throws where it is none. Left out by a machine that answers no queries. */
  readonly ask?: ((view: View, query: Uint8Array) => Uint8Array) | undefined
}

/** A machine as its remote clients see it. `never` stands for the queries of a machine that answers none. */
export interface RemoteMachine<Command, Reply, View, Query, Answer> extends StateMachine<
  Command,
  Reply,
  View
> {
  readonly queries?: QueryCodecs<Query, Answer> | undefined
}

/** How a query and its answer become bytes. */
export interface QueryCodecs<Query, Answer> {
  readonly query: BinaryCodec<Query>
  readonly answer: BinaryCodec<Answer>
}

/** A class that is a machine and carries the key of the Raft service that replicates it. */
export interface StateMachineClass<Self, Command, Reply, View> {
  new (_: never): object
  readonly machine: StateMachine<Command, Reply, View>
  /** `yield* Counter.Raft` gives the node's `propose`, `read` and so on, typed by this machine. */
  readonly Raft: Context.Service<Self, Raft<Command, Reply, View>>
}

/** Stands for the {@link RaftClient} of a machine in the requirements of an effect. */
export interface ClientOf<Self> {
  readonly "~effect-raft/ClientOf": Self
}

/** The same, and the key of the client by which other processes use the machine. */
export interface RemoteMachineClass<Self, Command, Reply, View, Query, Answer> extends StateMachineClass<
  Self,
  Command,
  Reply,
  View
> {
  readonly machine: RemoteMachine<Command, Reply, View, Query, Answer>
  /** `yield* Counter.Client` gives `propose` and `query` over the network, typed by this machine. */
  readonly Client: Context.Service<ClientOf<Self>, RaftClient<Command, Reply, Query, Answer>>
}

type PlainCodec<A, E> = Schema.ConstraintCodec<A, E>

/** The compact, evolvable binary form of a schema. The bytes are the caller's to keep. */
export const binaryCodec = <A, E>(schema: PlainCodec<A, E>): BinaryCodec<A> => {
  const encoder = SchemaBinary.encoder(schema)
  const decode = Schema.decodeSync(SchemaBinary.toCodec(schema))
  // The encoder writes into an arena that it uses again.
  return {
    encode: (value) => encoder.encode(value).slice(),
    decode: (bytes) => decode(bytes as Uint8Array<ArrayBuffer>)
  }
}

/**
 * What a machine can be asked from another process, where no function can be sent. Codecs default to the
 * binary form of the schemas.
 */
export interface QueryOptions<View, Query, QueryE, Answer, AnswerE> {
  readonly query: PlainCodec<Query, QueryE>
  readonly answer: PlainCodec<Answer, AnswerE>
  readonly queryCodec?: BinaryCodec<Query>
  readonly answerCodec?: BinaryCodec<Answer>
  /** Looks at the state. Synchronous; it must neither change the view nor keep it. */
  readonly ask: (view: NoInfer<View>, query: NoInfer<Query>) => NoInfer<Answer>
}

/**
 * A machine as a reducer.
 *
 * ```ts
 * class Counter extends StateMachine.Service<Counter>()("app/Counter", {
 *   command: Schema.TaggedUnion({ Increment: { by: Schema.Int }, Reset: {} }),
 *   reply: Schema.Int,
 *   state: Schema.Int,
 *   initial: 0,
 *   apply: (total, command) => {
 *     const next = command._tag === "Reset" ? 0 : total + command.by
 *     return { state: next, reply: next }
 *   }
 * }) {}
 * ```
 */
export const Service =
  <Self>() =>
  <
    Command,
    CommandE,
    Reply,
    ReplyE,
    State,
    StateE,
    Query = never,
    QueryE = never,
    Answer = never,
    AnswerE = never
  >(
    name: string,
    options: {
      readonly command: PlainCodec<Command, CommandE>
      readonly reply: PlainCodec<Reply, ReplyE>
      readonly state: PlainCodec<State, StateE>
      readonly queries?: QueryOptions<State, Query, QueryE, Answer, AnswerE>
      readonly initial: NoInfer<State>
      /** The highest version that this program can run; it can run all lower ones too. Default 0. */
      readonly version?: number
      /** The group has switched to a newer version: the state in its form. By default the same state. */
      readonly upgrade?: (
        state: NoInfer<State>,
        versions: { readonly from: number; readonly to: number }
      ) => NoInfer<State>
      readonly apply: (
        state: State,
        command: Command,
        meta: ApplyMeta
      ) => { readonly state: NoInfer<State>; readonly reply: NoInfer<Reply> }
    }
  ): RemoteMachineClass<Self, Command, Reply, State, Query, Answer> => {
    const stateCodec = binaryCodec(options.state)
    return makeClass<Self, Command, Reply, State, Query, Answer>({
      name,
      command: binaryCodec(options.command),
      reply: binaryCodec(options.reply),
      ...(options.version === undefined ? undefined : { version: options.version }),
      make: () => reducerInstance(options, stateCodec),
      ...(options.queries === undefined ? undefined : asked(options.queries))
    })
  }

/** A machine with an instance of its own making. Codecs default to the binary form of the schemas. */
export const ServiceOf =
  <Self>() =>
  <Command, CommandE, Reply, ReplyE, View, Query = never, QueryE = never, Answer = never, AnswerE = never>(
    name: string,
    options: {
      readonly command: PlainCodec<Command, CommandE>
      readonly reply: PlainCodec<Reply, ReplyE>
      readonly commandCodec?: BinaryCodec<Command>
      readonly replyCodec?: BinaryCodec<Reply>
      /** The highest version that this program can run; it can run all lower ones too. Default 0. */
      readonly version?: number
      readonly queries?: QueryOptions<NoInfer<View>, Query, QueryE, Answer, AnswerE>
      readonly make: () => Instance<Command, Reply, View>
    }
  ): RemoteMachineClass<Self, Command, Reply, View, Query, Answer> =>
    makeClass<Self, Command, Reply, View, Query, Answer>({
      name,
      command: options.commandCodec ?? binaryCodec(options.command),
      reply: options.replyCodec ?? binaryCodec(options.reply),
      ...(options.version === undefined ? undefined : { version: options.version }),
      make: options.make,
      ...(options.queries === undefined ? undefined : asked(options.queries))
    })

/** The two sides of a machine's queries: what a client encodes, and what a node does with it. */
const asked = <View, Query, QueryE, Answer, AnswerE>(
  options: QueryOptions<View, Query, QueryE, Answer, AnswerE>
) => {
  const query = options.queryCodec ?? binaryCodec(options.query)
  const answer = options.answerCodec ?? binaryCodec(options.answer)
  return {
    queries: { query, answer },
    ask: (view: View, bytes: Uint8Array) => answer.encode(options.ask(view, query.decode(bytes)))
  }
}

const reducerInstance = <Command, Reply, State>(
  machine: {
    readonly initial: State
    readonly apply: (
      state: State,
      command: Command,
      meta: ApplyMeta
    ) => { readonly state: State; readonly reply: Reply }
    readonly upgrade?: (state: State, versions: { readonly from: number; readonly to: number }) => State
  },
  codec: BinaryCodec<State>
): Instance<Command, Reply, State> => {
  let state = machine.initial
  return {
    apply: (command, meta) => {
      const result = machine.apply(state, command, meta)
      state = result.state
      return result.reply
    },
    view: () => state,
    snapshot: () => {
      const taken = state
      return {
        *[Symbol.iterator]() {
          yield codec.encode(taken)
        }
      }
    },
    restore: () =>
      restoration((snapshot) => {
        state = codec.decode(snapshot)
      }),
    upgrade: (from, to) => {
      state = machine.upgrade?.(state, { from, to }) ?? state
    }
  }
}

const makeClass = <Self, Command, Reply, View, Query, Answer>(
  machine: RemoteMachine<Command, Reply, View, Query, Answer>
): RemoteMachineClass<Self, Command, Reply, View, Query, Answer> =>
  class {
    static readonly machine = machine
    static readonly Raft = Context.Service<Self, Raft<Command, Reply, View>>(`${machine.name}/Raft`)
    static readonly Client = Context.Service<ClientOf<Self>, RaftClient<Command, Reply, Query, Answer>>(
      `${machine.name}/Client`
    )
  }
