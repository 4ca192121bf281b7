/**
 * Proving a state machine, and Raft itself, under faults: one run for each seed, thousands of seeds.
 *
 * A run draws a plan from its seed (how many nodes, what kind of network, which faults when), starts a
 * cluster of shipped nodes on it, lets clients work while the faults go on, then takes all faults back
 * and expects the cluster to elect, to serve and to agree. On the way the paper's safety properties are
 * checked at every step, replicas are compared reply by reply, and in the end what the clients were told
 * is held against what was applied.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Membership from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import * as RaftTrace from "../RaftTrace.ts"
import type { StateMachineClass } from "../StateMachine.ts"
import type { TraceEvent } from "../TraceEvent.ts"
import { Violation } from "./invariants/Invariant.ts"
import type { LinkSettings } from "./LinkFaults.ts"
import { reliable } from "./LinkFaults.ts"
import type * as FaultyDisk from "./FaultyDisk.ts"
import * as MemoryDisk from "./MemoryDisk.ts"
import * as TestCluster from "./TestCluster.ts"
import * as History from "./History.ts"
import * as Breakdown from "./simulation/Breakdown.ts"
import * as Clients from "./simulation/Clients.ts"
import * as Commitment from "./simulation/Commitment.ts"
import * as Coverage from "./simulation/Coverage.ts"
import * as Disks from "./simulation/Disks.ts"
import * as Divergence from "./simulation/Divergence.ts"
import * as Nemesis from "./simulation/Nemesis.ts"
import { NodeClock } from "./simulation/NodeClock.ts"
import * as Oracle from "./simulation/Oracle.ts"
import type * as Plan from "./simulation/Plan.ts"
import * as Promises from "./simulation/Promises.ts"
import * as Sessions from "./simulation/Sessions.ts"
import * as Votes from "./simulation/Votes.ts"
import * as SimulationRuntime from "./SimulationRuntime.ts"
import type { Answer, Completed, Request, Workload } from "./Workload.ts"

/** A property that a run has shown not to hold. */
export class Failed extends Error {
  /** Groups failures that are the same: the invariant's name, "Oracle", "Liveness", … */
  readonly property: string

  constructor(property: string, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.name = "Failed"
    this.property = property
  }
}

/** What came of one run. */
export interface Report<Command, View> {
  readonly plan: Plan.Plan
  /** `undefined` when all held. */
  readonly failure: Failed | undefined
  readonly counters: Coverage.Counters
  readonly history: ReadonlyArray<Completed<Command, View>>
  readonly events: number
  readonly virtualMillis: number
  /** For a person; empty unless asked for. */
  readonly trace: ReadonlyArray<string>
  /** The same for a program; empty unless asked for. */
  readonly traceEvents: ReadonlyArray<TraceEvent>
}

export interface RunOptions {
  /** Rules to run by instead of Raft's own, for tests of the simulation itself. */
  readonly rules?: TestCluster.Options["rules"]
  readonly trace?: boolean
  /** Makes the disks of a run. `MemoryDisk` unless told. */
  readonly disks?: FaultyDisk.Make
}

/** How long a cluster without faults may take until it serves again, in virtual time. */
const recoveryMillis = 20_000

/** Runs a plan to its end, in one synchronous call. */
export const run = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  workload: Workload<Command, View>,
  plan: Plan.Plan,
  options: RunOptions = {}
): Report<Command, View> => {
  const notes: Notes<Command, View> = {
    history: () => [],
    counters: Coverage.zero(),
    keepsTrace: options.trace ?? false,
    rules: options.rules,
    disks: options.disks ?? MemoryDisk.make,
    trace: () => [],
    traceEvents: () => []
  }
  const { exit, events, virtualMillis } = SimulationRuntime.run(life(machine, workload, plan, notes), {
    seed: plan.seed,
    interleave: plan.interleave
  })
  const { counters } = notes
  const history = notes.history()
  counters.unknownOutcomes = history.filter(({ outcome }) => outcome._tag === "Unknown").length
  const failure = Exit.isSuccess(exit) ? undefined : toFailed(exit.cause)
  const [trace, traceEvents] = [notes.trace(), notes.traceEvents()]
  return { plan, failure, counters, history, events, virtualMillis, trace, traceEvents }
}

const toFailed = (cause: Cause.Cause<unknown>): Failed => {
  const error = Cause.squash(cause)
  if (error instanceof Failed) return error
  if (error instanceof TestCluster.NotReached) return new Failed("Liveness", error.message, { cause: error })
  if (!(error instanceof Error)) return new Failed("Defect", String(error))
  const property = error.cause instanceof Violation ? error.cause.property : error.name
  return new Failed(property, error.message, { cause: error })
}

interface Notes<Command, View> {
  /** Gives the history so far. */
  history: () => ReadonlyArray<Completed<Command, View>>
  readonly counters: Coverage.Counters
  readonly keepsTrace: boolean
  readonly rules: TestCluster.Options["rules"]
  readonly disks: FaultyDisk.Make
  /** Gives the trace so far. */
  trace: () => ReadonlyArray<string>
  traceEvents: () => ReadonlyArray<TraceEvent>
}

/** One cluster's life: work under faults, heal, recover, be judged. */
const life = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>,
  workload: Workload<Command, View>,
  plan: Plan.Plan,
  notes: Notes<Command, View>
) =>
  Effect.gen(function* () {
    const clocks = new Map<NodeId, NodeClock>()
    const failed = Deferred.makeUnsafe<never>()
    const fail = (property: string, message: string) => {
      Deferred.doneUnsafe(failed, Exit.die(new Failed(property, message)))
    }
    const cover = Coverage.tracerOf(notes.counters)
    const compare = Divergence.repliesTracer(machine.machine, (found) => fail("Divergence", found.message))
    const breakdowns = Breakdown.make((what) => fail("Breakdown", what))
    const disks = Disks.of(() => cluster)
    const remind = Promises.tracerOf(disks, (what) => fail("Promises", what))
    const count = Commitment.tracerOf(disks, (what) => fail("Commitment", what))
    const poll = Votes.tracerOf(disks, (what) => fail("Votes", what))
    const sessions = Sessions.make(notes.counters, (what) => fail("Sessions", what))
    const watch = [cover, compare, sessions.tracerOf, breakdowns.tracerOf, remind, count, poll]
    let isStorm = false

    const cluster: TestCluster.Cluster<Command, Reply, View> = yield* TestCluster.make(machine, {
      // Both are tried: logs in memory that is used again where something happens, shared ones where nothing does.
      sharesBlocks: plan.faults.length === 0,
      size: plan.size,
      spares: plan.spares ?? 0,
      seed: plan.seed,
      network: linkSettings(plan),
      notifyLost: plan.notifyLost,
      config: { ...plan.config, ...plan.sessions },
      disk: notes.disks({
        seed: plan.seed,
        onEvent: (event) => {
          notes.counters[event] += 1
        }
      }),
      trace: notes.keepsTrace,
      ...(notes.rules === undefined ? undefined : { rules: notes.rules }),
      clockOf: (nodeId, world) => {
        const clock = clocks.get(nodeId) ?? new NodeClock(world, ofNode(plan.driftPerMille, nodeId))
        clocks.set(nodeId, clock)
        return clock
      },
      observe: (nodeId) => RaftTrace.all(watch.map((tracerOf) => tracerOf(nodeId)))
    })
    notes.trace = cluster.trace
    notes.traceEvents = cluster.traceEvents
    const recorder = yield* History.make<Request<Command, View>, Answer>()
    notes.history = () => Effect.runSync(recorder.operations)

    const target: Nemesis.Target = {
      cluster,
      clockOf: (nodeId) => clocks.get(nodeId)!,
      hasStopped: breakdowns.hasStopped,
      diskMillisOf: (nodeId) => ofNode(plan.diskMillis, nodeId),
      setStorm: (isOn) => {
        isStorm = isOn
      }
    }
    const clients = Clients.run({
      cluster,
      workload,
      plan,
      isStorm: () => isStorm,
      recorder,
      counters: notes.counters
    })

    const work = Effect.gen(function* () {
      for (const nodeId of cluster.nodeIds) {
        yield* cluster.disk.setWriteLatencyMillis(cluster.identityOf(nodeId), target.diskMillisOf(nodeId))
      }
      const working = yield* Effect.forkChild(clients)
      yield* Effect.all([Effect.sleep(plan.durationMillis), Nemesis.run(target, plan.faults)], {
        concurrency: "unbounded"
      })
      yield* Nemesis.healAll(target)
      cluster.network.configure(reliable)
      yield* everyCallEnds(working)
      yield* recover(cluster)
    })
    // Ends at the first thing that is wrong, so that the trace ends there too.
    yield* Effect.raceAllFirst([work, cluster.violated, Deferred.await(failed)]).pipe(
      Effect.onError(() => Nemesis.letGo(target))
    )
    const history = notes.history()
    const believed = Oracle.attemptsOf(history, machine.machine.command.encode)
    yield* judge(
      Oracle.check(believed, (index) => sessions.unwrap(cluster.appliedAt(index))),
      "Oracle"
    )
    yield* judge(workload.check?.(history), "History")
  }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

const linkSettings = ({ network }: Plan.Plan): LinkSettings => ({
  ...reliable,
  requestDelayMillis: network.delayMillis,
  replyDelayMillis: network.delayMillis,
  requestLoss: network.loss,
  replyLoss: network.loss,
  duplication: network.duplication,
  heldRequests: network.heldRequests,
  heldReplies: network.heldReplies,
  inOrder: network.inOrder
})

/** What a list that begins with n1's says of a node. */
const ofNode = (list: ReadonlyArray<number>, nodeId: NodeId): number => list[Number(nodeId.slice(1)) - 1] ?? 0

/** Whatever has happened, and to whom: with all faults off nobody waits for long. */
const everyCallEnds = (working: Fiber.Fiber<void>) =>
  Fiber.join(working).pipe(
    Effect.timeoutOption(recoveryMillis),
    Effect.flatMap((ended) =>
      judge(
        Option.isSome(ended) ? undefined : `a client waits for its answer for more than ${recoveryMillis} ms`,
        "Every call ends"
      )
    )
  )

/** Liveness: with all faults off the cluster elects a leader, and everybody gets to the same point. */
const recover = <Command, Reply, View>(cluster: TestCluster.Cluster<Command, Reply, View>) =>
  Effect.gen(function* () {
    yield* cluster.awaitLeader({ within: recoveryMillis })
    const isLevel = () => {
      const [leader] = cluster.leaders()
      if (leader === undefined) return false
      const { log, membership } = cluster.state(leader)
      return (
        membership._tag === "Simple" &&
        Membership.allMembers(membership).every(({ id }) => cluster.appliedIndex(id) === log.lastIndex)
      )
    }
    yield* cluster.until("every member has applied the whole log", isLevel, { within: recoveryMillis })
  })

const judge = (problem: string | undefined, property: string): Effect.Effect<void> =>
  problem === undefined ? Effect.void : Effect.die(new Failed(property, problem))
