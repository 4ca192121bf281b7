/**
 * A client of a cluster, in a process that need not be one of its nodes.
 *
 * It is given some of the nodes' addresses, finds the leader from any of them, follows it when it
 * changes, and shares one connection among all calls that are under way. A call is tried again only where
 * that cannot do harm: a query always; a command while it surely did not happen. What may have happened
 * and cannot be repeated fails with `OutcomeUnknown`, and the caller decides.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const counter = yield* Counter.Client
 *   return yield* counter.propose({ _tag: "Increment", by: 1 })
 * })
 *
 * const client = RaftClient.layer(Counter, { endpoints: ["127.0.0.1:7201", "127.0.0.1:7202"] }).pipe(
 *   Layer.provide(TcpClientTransport.layer())
 * )
 * ```
 *
 * Interrupting a call gives its place back at once; a command that has left may still be carried out.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { QueryConsistency } from "./ClientMessage.ts"
import * as Exchange from "./internal/client/Exchange.ts"
import * as RemoteSessions from "./internal/client/RemoteSessions.ts"
import type { Router } from "./internal/client/Router.ts"
import * as RouterFibers from "./internal/client/RouterFibers.ts"
import { ClusterId, GroupId } from "./NodeId.ts"
import { because, InvalidCommand, InvalidQuery } from "./RaftError.ts"
import type { RaftError } from "./RaftError.ts"
import { RaftClientTransport } from "./RaftClientTransport.ts"
import type { SessionOperations } from "./sessions/SessionOperations.ts"
import type { ClientOf, RemoteMachine, RemoteMachineClass } from "./StateMachine.ts"

/**
 * What a call ends with, where that is neither the machine's answer nor a `RaftError`. An effect around each call
 * would do, and would cost about as much as sending the request. Both functions must be quick and must not throw.
 */
export type Ending<Input, Output, A, E> = Exchange.Ending<Input, Output, A, E>

/** A remote handle on a group. */
export interface RaftClient<Command, Reply, Query, Answer> {
  /**
   * Replicates a command and answers with the machine's reply, once it is durable on a quorum and applied
   * by the leader. `error.outcome` tells whether a failed command may have taken effect all the same.
   */
  readonly propose: (command: Command) => Effect.Effect<Reply, RaftError>

  /** Asks the machine. Linearizable unless told otherwise. */
  readonly query: (
    query: Query,
    options?: { readonly consistency?: QueryConsistency }
  ) => Effect.Effect<Answer, RaftError>

  /** As `propose`, with an ending of the caller's own: for what is built on a client, and called as often. */
  readonly proposeWith: <A, E>(command: Command, ending: Ending<Command, Reply, A, E>) => Effect.Effect<A, E>

  /** As `query`, with an ending of the caller's own. */
  readonly queryWith: <A, E>(
    query: Query,
    ending: Ending<Query, Answer, A, E>,
    options?: { readonly consistency?: QueryConsistency }
  ) => Effect.Effect<A, E>

  /**
   * What exactly-once is made of: `Session.open(client.sessions)` gives a session in which a command whose
   * answer was lost is sent again, and applied once.
   */
  readonly sessions: SessionOperations<Command, Reply>

  /** How many calls have not ended yet. */
  readonly callsUnderWay: Effect.Effect<number>
}

/** Settings of a client. Times are in milliseconds. */
export interface Options {
  /** Addresses at which nodes listen for clients, in the words of the transport. Some are enough. */
  readonly endpoints: ReadonlyArray<string>
  /** Nodes of another cluster are refused. "effect-raft" by default. */
  readonly clusterId?: string
  /** "default" by default. */
  readonly groupId?: string
  /** How long a call takes at most, all attempts together. Default 10,000. */
  readonly timeoutMillis?: number
  /** How long connecting to one node may take. Default 1,000. */
  readonly connectTimeoutMillis?: number
  /**
   * How long a node may owe answers before another node is asked who leads; a leader that stands still is
   * left when the others have a new one. Default 50.
   */
  readonly doubtMillis?: number
  /** The first pause after a setback; it doubles with each one that follows. Default 4. */
  readonly firstPauseMillis?: number
  /** The longest pause between two attempts. Default 250. */
  readonly maxPauseMillis?: number
  /** Calls that have not ended yet. One more fails with `Overloaded`. Default 16,384. */
  readonly maxCalls?: number
  /**
   * Who is asked queries. "leader": it confirms them with the least delay. "any": the first node that
   * answers, so that the leader is spared; linearizable ones cost it a round all the same. Default "leader".
   */
  readonly queryAt?: "leader" | "any"
}

/** The options of a client do not fit together. Nothing was connected. */
export class InvalidClientOptions extends Schema.TaggedError<InvalidClientOptions>()("InvalidClientOptions", {
  option: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.option}: ${this.detail}`
  }
}

/** The client of `machine`, under the key `machine.Client`. */
export const layer = <Self, Command, Reply, View, Query, Answer>(
  machine: RemoteMachineClass<Self, Command, Reply, View, Query, Answer>,
  options: Options
): Layer.Layer<ClientOf<Self>, InvalidClientOptions, RaftClientTransport> =>
  Layer.effect(machine.Client, make(machine.machine, options))

/** Makes a client, which lives as long as the scope. It connects when the first call needs it. */
export const make = <Command, Reply, View, Query, Answer>(
  machine: RemoteMachine<Command, Reply, View, Query, Answer>,
  options: Options
): Effect.Effect<
  RaftClient<Command, Reply, Query, Answer>,
  InvalidClientOptions,
  RaftClientTransport | Scope.Scope
> =>
  Effect.gen(function* () {
    const transport = yield* RaftClientTransport
    const checked = yield* check(options, transport)
    const leader = yield* RouterFibers.make({ ...checked, transport, seeksLeader: true })
    const reader =
      options.queryAt === "any"
        ? yield* RouterFibers.make({ ...checked, transport, seeksLeader: false })
        : leader
    return face(machine, leader, reader)
  })

const check = Effect.fnUntraced(function* (options: Options, transport: RaftClientTransport["Service"]) {
  const { endpoints } = options
  if (endpoints.length === 0) return yield* invalid("endpoints", "at least one address of a node is needed")
  for (const endpoint of endpoints) {
    const problem = transport.problemWith(endpoint)
    if (problem !== undefined) return yield* invalid("endpoints", `"${endpoint}" is no address: ${problem}`)
  }
  const settings = {
    timeoutMillis: options.timeoutMillis ?? 10_000,
    connectTimeoutMillis: options.connectTimeoutMillis ?? 1000,
    doubtMillis: options.doubtMillis ?? 50,
    firstPauseMillis: options.firstPauseMillis ?? 4,
    maxPauseMillis: options.maxPauseMillis ?? 250,
    maxCalls: options.maxCalls ?? 16_384
  }
  for (const [option, value] of Object.entries(settings)) {
    if (!Number.isInteger(value) || value <= 0)
      return yield* invalid(option, `${value} is no whole number above 0`)
  }
  return {
    ...settings,
    endpoints,
    clusterId: yield* name("clusterId", ClusterId, options.clusterId ?? "effect-raft"),
    groupId: yield* name("groupId", GroupId, options.groupId ?? "default")
  }
})

const invalid = (option: string, detail: string) => Effect.fail(new InvalidClientOptions({ option, detail }))

const name = <A>(option: string, schema: Schema.ConstraintDecoder<A>, value: string) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(schema)(value),
    (error) => new InvalidClientOptions({ option, detail: `"${value}" is no good: ${error.message}` })
  )

/** Gives the routers, which know bytes, the types of the machine. */
const face = <Command, Reply, View, Query, Answer>(
  machine: RemoteMachine<Command, Reply, View, Query, Answer>,
  leader: Router,
  reader: Router
): RaftClient<Command, Reply, Query, Answer> => {
  const proposing: Exchange.Kind<Command, Reply> = {
    input: machine.command,
    output: machine.reply,
    request: (id, command) => ({ _tag: "Propose", id, command }),
    isQuery: false,
    refuse: (detail) => new InvalidCommand({ detail })
  }
  const asking = askingOf(machine)
  const queryWith: RaftClient<Command, Reply, Query, Answer>["queryWith"] = (query, ending, options) =>
    asking === undefined
      ? Effect.fail(ending.onFailed(because(noQueries(machine)), query))
      : Exchange.run(reader, asking[options?.consistency ?? "linearizable"], query, ending)
  const replied = Exchange.plain<Command, Reply>()
  const answered = Exchange.plain<Query, Answer>()
  return {
    propose: (command) => Exchange.run(leader, proposing, command, replied),
    proposeWith: (command, ending) => Exchange.run(leader, proposing, command, ending),
    query: (query, options) => queryWith(query, answered, options),
    queryWith,
    sessions: RemoteSessions.make(leader, machine),
    callsUnderWay: Effect.sync(() => (leader === reader ? leader.size : leader.size + reader.size))
  }
}

const noQueries = ({ name }: { readonly name: string }) =>
  new InvalidQuery({ detail: `${name} answers no queries` })

const askingOf = <Command, Reply, View, Query, Answer>({
  queries
}: RemoteMachine<Command, Reply, View, Query, Answer>) => {
  if (queries === undefined) return undefined
  const asking = (consistency: QueryConsistency): Exchange.Kind<Query, Answer> => ({
    input: queries.query,
    output: queries.answer,
    request: (id, query) => ({ _tag: "Query", id, consistency, query }),
    isQuery: true,
    refuse: (detail) => new InvalidQuery({ detail })
  })
  return { linearizable: asking("linearizable"), stale: asking("stale") }
}
