/**
 * A whole cluster in memory: N nodes, each the shipped node with its actor, log writer and applier, over a
 * network that misbehaves from a seed and disks that forget what was not synced.
 *
 * Time is the test's: nothing happens until the test lets it pass. The safety properties of the paper are
 * checked at every step of every node; a violation fails the call that met it, and the test at its end.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { NodeState } from "../consensus/NodeState.ts"
import { leaderOf } from "../consensus/NodeState.ts"
import type { LogEntry } from "../LogEntry.ts"
import type * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import { ClusterId, defaultGroup, NodeId } from "../NodeId.ts"
import type * as Raft from "../Raft.ts"
import type { RaftError } from "../RaftError.ts"
import { RaftStorage } from "../RaftStorage.ts"
import type { StorageIdentity } from "../RaftStorage.ts"
import { RaftRules } from "../internal/RaftRules.ts"
import type { Rules } from "../internal/RaftRules.ts"
import * as Transition from "../consensus/Transition.ts"
import * as RaftTrace from "../RaftTrace.ts"
import type { RaftTracer } from "../RaftTrace.ts"
import { RaftTransport } from "../RaftTransport.ts"
import type { StateMachineClass } from "../StateMachine.ts"
import type { Violation } from "./invariants/Invariant.ts"
import { Advance } from "./Advance.ts"
import { ClusterBooks } from "./ClusterBooks.ts"
import * as Invariants from "./Invariants.ts"
import type { LinkSettings } from "./LinkFaults.ts"
import * as MemoryDisk from "./MemoryDisk.ts"
import type { Fate, FaultyDisk } from "./FaultyDisk.ts"
import * as MemoryNetwork from "./MemoryNetwork.ts"
import * as OwnLogs from "./OwnLogs.ts"
import * as NodeLives from "./NodeLives.ts"
import type { TraceEvent } from "../TraceEvent.ts"
import { TraceLog } from "./TraceLog.ts"

/** Something that was waited for did not come within the time that it had. */
export class NotReached extends Schema.TaggedError<NotReached>()("NotReached", {
  what: Schema.String,
  withinMillis: Schema.Finite
}) {
  override get message() {
    return `${this.what}: not within ${this.withinMillis} ms`
  }
}

export interface Options {
  /** Nodes are called n1, n2, … */
  readonly size: number
  /** More nodes, called on from there, that belong to no cluster yet and wait to be added. Default 0. */
  readonly spares?: number
  /** All chance comes from it: the same seed gives the same trace. */
  readonly seed: string
  readonly config?: Raft.Options["config"]
  /** What is different for one node, asked for at each of its starts. */
  readonly configOf?: (nodeId: NodeId) => Raft.Options["config"]
  /** How links behave at first: `LinkFaults.reliable` (the default), `unreliable`, `longReordering`, … */
  readonly network?: LinkSettings
  /** Whether peers hear of a broken connection at once. Default true. */
  readonly notifyLost?: boolean
  /** Facts that each node tells its peers, such as where it listens for clients. None by default. */
  readonly attributesOf?: (nodeId: NodeId) => Readonly<Record<string, string>>
  /** Leave all nodes down; the test starts them. Default false. */
  readonly startDown?: boolean
  /** What the nodes write on. `MemoryDisk` unless told. */
  readonly disk?: FaultyDisk
  /** Whether the nodes share the blocks of their logs. Default false: a log is a node's own, as with files and sockets. */
  readonly sharesBlocks?: boolean
  /** Whether a trace is kept, which costs time and memory in a long run. Default true. */
  readonly trace?: boolean
  /** Makes a node's own clock from the cluster's: drifting, jumping, standing still. */
  readonly clockOf?: (nodeId: NodeId, clock: Clock.Clock) => Clock.Clock
  /** Rules to run by instead of Raft's own, for tests of the checks themselves. */
  readonly rules?: Rules
  /** Looks over every node's shoulder, beside the invariants. */
  readonly observe?: (nodeId: NodeId) => RaftTracer
}

export interface Cluster<Command, Reply, View> {
  readonly nodeIds: ReadonlyArray<NodeId>
  readonly network: MemoryNetwork.MemoryNetwork
  readonly disk: FaultyDisk
  readonly identityOf: (nodeId: NodeId) => StorageIdentity

  /** Starts a node that is down, on what its disk holds. */
  readonly start: (nodeId: NodeId) => Effect.Effect<void, Raft.RaftStartError>
  /** Shuts a node down in an orderly way. */
  readonly stop: (nodeId: NodeId) => Effect.Effect<void>
  /** The machine loses its power: what was not synced is gone, unless `fate` says otherwise. */
  readonly kill: (nodeId: NodeId, fate?: Fate) => Effect.Effect<void>
  readonly restart: (nodeId: NodeId) => Effect.Effect<void, Raft.RaftStartError>
  /** Whether a node was started and not stopped since; a start on a slow disk takes its time. */
  readonly isUp: (nodeId: NodeId) => boolean
  /** The newest handle of a node; its calls fail with `ShuttingDown` while the node is down. */
  readonly raft: (nodeId: NodeId) => Raft.Raft<Command, Reply, View>
  /** The state of a node after its last turn. */
  readonly state: (nodeId: NodeId) => NodeState

  /** Lets virtual time pass. */
  readonly advance: (duration: Duration.Input) => Effect.Effect<void>
  /** Runs an effect while time passes, until it ends; fails when it has not after `within` of virtual time. */
  readonly drive: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: { readonly within?: Duration.Input }
  ) => Effect.Effect<A, E | NotReached, R>
  /** Lets time pass until `holds`. */
  readonly until: (
    what: string,
    holds: () => boolean,
    options?: { readonly within?: Duration.Input }
  ) => Effect.Effect<void, NotReached>

  /** Nodes that are up and think that they lead, newest term first. */
  readonly leaders: () => ReadonlyArray<NodeId>
  /** Waits for a leader that is reachable from a majority; `among` narrows who may be it. */
  readonly awaitLeader: (options?: {
    readonly within?: Duration.Input
    readonly among?: ReadonlyArray<NodeId>
  }) => Effect.Effect<NodeId, NotReached>
  /** Proposes at `at`, or at any node that is up, and lets time pass until it is answered. */
  readonly propose: (command: Command, at?: NodeId) => Effect.Effect<Reply, RaftError | NotReached>
  /** Reads at `at`, or at any node that is up. */
  readonly read: <A>(f: (view: View) => A, at?: NodeId) => Effect.Effect<A, RaftError | NotReached>

  /** What a node has applied since it was last started; what a snapshot stands for is not among it. */
  readonly applied: (nodeId: NodeId) => ReadonlyArray<LogEntry>
  /** How far a node's machine is, by entries or by a snapshot. */
  readonly appliedIndex: (nodeId: NodeId) => LogIndex.LogIndex
  /** What any node has applied at an index, at any time. */
  readonly appliedAt: (index: LogIndex.LogIndex) => LogEntry | undefined
  /** Everything that happened, for a person: a line each, in fixed columns. */
  readonly trace: () => ReadonlyArray<string>
  /** The same for a program: `TraceEvent.toLine` gives the lines of an ndjson file. */
  readonly traceEvents: () => ReadonlyArray<TraceEvent>
  /** Never succeeds; dies at once when something is violated. */
  readonly violated: Effect.Effect<never>
  /** Dies with what was violated, if anything was. */
  readonly check: Effect.Effect<void>
}

/**
 * Starts a cluster that runs until the Scope closes. `programOf` says which version of the machine a node runs
 * from its next start on; all have the same name.
 */
export const make = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  options: Options,
  programOf: (nodeId: NodeId) => StateMachineClass<Self, Command, Reply, View> = () => machine
): Effect.Effect<Cluster<Command, Reply, View>, Raft.RaftStartError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const advance = yield* Advance
    const nowMillis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

    const count = options.size + (options.spares ?? 0)
    const nodeIds = Array.from({ length: count }, (_, i) => NodeId.make(`n${i + 1}`))
    const founders = nodeIds.slice(0, options.size)
    const members = Object.fromEntries(founders.map((nodeId) => [nodeId, `memory:${nodeId}`]))
    const clusterId = ClusterId.make("test")
    /** One object for each: a disk finds what is its own by it, without a name. */
    const identities = new Map(
      nodeIds.map((nodeId): [NodeId, StorageIdentity] => [
        nodeId,
        { clusterId, groupId: defaultGroup, nodeId }
      ])
    )
    const identityOf = (nodeId: NodeId): StorageIdentity =>
      identities.get(nodeId) ?? { clusterId, groupId: defaultGroup, nodeId }

    const network = yield* MemoryNetwork.make({
      seed: options.seed,
      ...(options.network === undefined ? undefined : { settings: options.network }),
      notifyLost: options.notifyLost ?? true
    })
    const disk = options.disk ?? MemoryDisk.make()
    const trace = new TraceLog(nowMillis)
    const observe = options.observe ?? (() => RaftTrace.silent)
    const record =
      options.trace === false ? () => RaftTrace.silent : (nodeId: NodeId) => trace.tracerOf(nodeId)
    const clockOf = options.clockOf ?? (() => clock)
    const violated = Deferred.makeUnsafe<never>()
    const invariants = Invariants.make((violation) => {
      Deferred.doneUnsafe(violated, Effect.die(explain(violation)))
    })
    const books = new ClusterBooks()

    // --- nodes ------------------------------------------------------------------------------------

    const tracerOf = (nodeId: NodeId): RaftTracer => {
      const watchers = [record(nodeId), invariants.tracerOf(nodeId), observe(nodeId), books.tracerOf(nodeId)]
      const all = RaftTrace.all(watchers)
      return options.sharesBlocks === true ? all : OwnLogs.keeping(all)
    }

    const { close, handleOf, isRunning, isStarting, start } = NodeLives.make({
      machine,
      programOf,
      nodeIds,
      optionsOf: (nodeId) => ({
        nodeId,
        ...(founders.includes(nodeId) ? { members } : { join: true }),
        clusterId,
        attributes: options.attributesOf?.(nodeId) ?? {},
        config: { ...options.config, ...options.configOf?.(nodeId) }
      }),
      environment: Layer.mergeAll(
        options.sharesBlocks === true
          ? Layer.merge(
              Layer.succeed(RaftTransport, network.transport),
              Layer.succeed(RaftStorage, disk.storage)
            )
          : OwnLogs.layer(network.transport, disk.storage),
        Layer.succeed(RaftTrace.RaftTrace, tracerOf),
        Layer.succeed(RaftRules, options.rules ?? Transition.apply)
      ),
      seed: options.seed,
      clockOf: (nodeId) => clockOf(nodeId, clock)
    })

    /** A leader that is shut down hands over first, which takes time. */
    const stop = (nodeId: NodeId) =>
      Effect.gen(function* () {
        const closing = yield* Effect.forkChild(close(nodeId, Exit.void), { startImmediately: true })
        while (closing.pollUnsafe() === undefined) yield* advance(1)
      })

    const kill = (nodeId: NodeId, fate: Fate = "Lost") =>
      Effect.suspend(() => {
        trace.crash(nodeId, fate)
        // Nothing that the node does while its Scope closes may reach the disk or a peer any more.
        network.silence(nodeId)
        return Effect.andThen(disk.crash(identityOf(nodeId), fate), close(nodeId, powerLost))
      })

    const raft = (nodeId: NodeId) => handleOf(nodeId) ?? neverStarted(nodeId)
    const state = (nodeId: NodeId) => books.stateOf(nodeId) ?? neverStarted(nodeId)

    // --- time -------------------------------------------------------------------------------------

    const until: Cluster<Command, Reply, View>["until"] = (what, holds, waiting) =>
      Effect.gen(function* () {
        const withinMillis = Duration.toMillis(waiting?.within ?? "10 seconds")
        const deadlineMillis = nowMillis() + withinMillis
        while (!holds()) {
          if (nowMillis() >= deadlineMillis) return yield* new NotReached({ what, withinMillis })
          yield* advance(stepMillis)
          yield* check
        }
      })

    const drive: Cluster<Command, Reply, View>["drive"] = (effect, waiting) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
        yield* until("the call ends", () => fiber.pollUnsafe() !== undefined, waiting).pipe(
          Effect.onError(() => Fiber.interrupt(fiber))
        )
        return yield* Fiber.join(fiber)
      })

    // --- looking ----------------------------------------------------------------------------------

    const up = () => nodeIds.filter(isRunning)

    const leaders = () =>
      up()
        .filter((nodeId) => state(nodeId).role._tag === "Leader")
        .sort((a, b) => state(b).currentTerm - state(a).currentTerm)

    const awaitLeader: Cluster<Command, Reply, View>["awaitLeader"] = (waiting) =>
      Effect.gen(function* () {
        const among = waiting?.among ?? nodeIds
        const find = () => leaders().find((nodeId) => among.includes(nodeId) && isFollowed(nodeId))
        yield* until("a leader is elected", () => find() !== undefined, waiting)
        return find()!
      })

    /** Whether a majority of all voters takes it for the leader of its term. */
    const isFollowed = (leader: NodeId): boolean =>
      Membership.votingSets(state(leader).membership).every((voters) => {
        const followers = voters.filter(
          (nodeId) =>
            isRunning(nodeId) &&
            leaderOf(state(nodeId)) === leader &&
            state(nodeId).currentTerm === state(leader).currentTerm
        )
        return followers.length * 2 > voters.length
      })

    /** A node that a client would ask: it is up, and belongs to the cluster as far as it knows. */
    const anyUp = () =>
      up().find((nodeId) => Membership.isMember(state(nodeId).membership, nodeId)) ?? up()[0] ?? nodeIds[0]!

    const explain = (violation: Violation) => {
      const last = trace.lines(40).join("\n")
      return new Error(`${violation.message}\nseed: ${options.seed}\n${last}`, { cause: violation })
    }

    const check = Effect.suspend(() => {
      const [first] = invariants.violations()
      return first === undefined ? Effect.void : Effect.die(explain(first))
    })

    if (options.startDown !== true) yield* Effect.forEach(nodeIds, start, { discard: true })
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        Effect.forEach(nodeIds, (nodeId) => close(nodeId, powerLost), { discard: true }),
        check
      )
    )

    return {
      nodeIds,
      network,
      disk,
      identityOf,
      start,
      stop,
      kill,
      restart: (nodeId) => Effect.andThen(stop(nodeId), start(nodeId)),
      isUp: (nodeId) => isRunning(nodeId) || isStarting(nodeId),
      raft,
      state,
      advance: (duration) => Effect.andThen(advance(duration), check),
      drive,
      until,
      leaders,
      awaitLeader,
      propose: (command, at) => drive(Effect.suspend(() => raft(at ?? anyUp()).propose(command))),
      read: (f, at) => drive(Effect.suspend(() => raft(at ?? anyUp()).read(f))),
      applied: (nodeId) => books.appliedBy(nodeId),
      appliedIndex: (nodeId) => books.appliedIndexOf(nodeId),
      appliedAt: (index) => books.appliedAt(index),
      trace: () => trace.lines(),
      traceEvents: () => trace.events,
      violated: Deferred.await(violated),
      check
    }
  })

/** How a node ends that says no farewell. */
const powerLost = Exit.die(new Error("the power was lost"))

/** How much time passes between two looks at the cluster. */
const stepMillis = 5

const neverStarted = (nodeId: NodeId): never => {
  throw new Error(`${nodeId} was never started`)
}
