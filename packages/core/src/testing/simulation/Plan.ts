/**
 * What one simulated run will do, drawn from its seed before it begins.
 *
 * A plan is plain data: it can be printed, replayed, and cut down to the little that still fails. Each
 * seed turns a random subset of the faults on ("swarm testing"): a run with everything at once seldom
 * gets anywhere, and hides the combinations of few.
 */
import * as Schema from "effect/Schema"
import { NodeId } from "../../NodeId.ts"
import { MembershipChange } from "../../MembershipChange.ts"
import { Dice, hashText } from "../LinkFaults.ts"
import * as Operators from "./Operators.ts"
import * as Calm from "./Calm.ts"

const Nodes = Schema.Array(NodeId)

/** Whom it befalls: a node, or whoever leads when the time has come, for then it matters most. */
const Victim = Schema.Union([NodeId, Schema.Literal("leader")])
export type Victim = typeof Victim.Type

/** What goes wrong. Every fault ends by itself, except those that a node's restart ends. */
export const Fault = Schema.TaggedUnion({
  /** The groups cannot reach each other. */
  Partition: { groups: Schema.Array(Nodes) },
  /** Nothing passes from one to the other; the way back stays open. */
  OneWay: { from: Victim, to: NodeId },
  /** A node is cut off from everybody. */
  Isolate: { node: Victim },
  /** A link that comes and goes, every `periodMillis`. */
  Flap: { one: NodeId, other: NodeId, periodMillis: Schema.Int },
  /** The machine loses its power and starts again. `keepsUnsynced`: what was not synced is there all the same. */
  Crash: { node: Victim, keepsUnsynced: Schema.Boolean },
  /** All machines lose their power at once. */
  Blackout: {},
  /** An orderly shutdown and a start. */
  Restart: { node: Victim },
  /** The process stands still: its clock, and what is sent to it. */
  Pause: { node: Victim },
  /** Every write takes this long. */
  SlowDisk: { node: Victim, latencyMillis: Schema.Int },
  /** Writes do not come back. */
  HangingDisk: { node: Victim },
  /** The next write fails; the node stops itself and is started again. */
  FailingWrite: { node: Victim, keepsUnsynced: Schema.Boolean },
  /** The wall clock jumps. */
  ClockJump: { node: NodeId, byMillis: Schema.Int },
  /** An operator asks the leader to change who belongs to the cluster. */
  ChangeMembership: { change: MembershipChange },
  /** An operator asks the leader to hand over, to `to` or to whoever is best. */
  Transfer: { to: Schema.NullOr(NodeId) },
  /** Clients do not pause between their operations. */
  Storm: {}
})
export type Fault = typeof Fault.Type

export const ScheduledFault = Schema.Struct({
  atMillis: Schema.Int,
  forMillis: Schema.Int,
  fault: Fault
})
export type ScheduledFault = typeof ScheduledFault.Type

/** A run from its beginning to the moment when all faults are off. */
export const Plan = Schema.Struct({
  seed: Schema.String,
  /** Nodes n1 … n7. */
  size: Schema.Int,
  /** More nodes, called on from there, that belong to nothing until they are added. */
  spares: Schema.optionalKey(Schema.Int),
  durationMillis: Schema.Int,
  clients: Schema.Int,
  /** Operations of all clients together in a second. */
  operationsPerSecond: Schema.Int,
  /** How long a client waits for an answer before it goes on without. */
  patienceMillis: Schema.Int,
  /** How clients' sessions are bounded, as in `RaftConfig`; `null` where commands go without. */
  sessions: Schema.NullOr(
    Schema.Struct({
      sessionTimeoutMillis: Schema.Int,
      maxSessions: Schema.Int,
      maxSessionReplies: Schema.Int,
      maxSessionReplyBytes: Schema.Int
    })
  ),
  /** Whether ready fibers run in an order drawn from the seed. */
  interleave: Schema.Boolean,
  /** How every link behaves all the time. */
  network: Schema.Struct({
    delayMillis: Schema.Tuple([Schema.Int, Schema.Int]),
    loss: Schema.Finite,
    duplication: Schema.Finite,
    heldRequests: Schema.Finite,
    heldReplies: Schema.Finite,
    inOrder: Schema.Boolean
  }),
  /** Settings of every node, as in `RaftConfig`. */
  config: Schema.Struct({
    preVote: Schema.Boolean,
    checkQuorum: Schema.Boolean,
    maxAppendBytes: Schema.Int,
    maxInflightEntries: Schema.Int,
    snapshotEveryEntries: Schema.Int,
    snapshotTrailingEntries: Schema.Int,
    snapshotPieceBytes: Schema.Int,
    /** Then clients read by lease. */
    leaseReads: Schema.optionalKey(Schema.Boolean),
    maxClockDriftPercent: Schema.optionalKey(Schema.Int),
    maxPromotionLagBytes: Schema.optionalKey(Schema.Int),
    heartbeatIntervalMillis: Schema.optionalKey(Schema.Int),
    electionTimeoutMillis: Schema.optionalKey(Schema.Int)
  }),
  /** By how much each node's clock runs fast, in parts per thousand. */
  driftPerMille: Schema.Array(Schema.Int),
  /** How long a write takes on each node's disk. */
  diskMillis: Schema.Array(Schema.Int),
  /** Whether peers hear of a broken connection. */
  notifyLost: Schema.Boolean,
  faults: Schema.Array(ScheduledFault)
})
export type Plan = typeof Plan.Type

/** What a caller fixes; the rest is drawn. */
export interface Bounds {
  readonly durationMillis?: number
  readonly size?: number
  readonly clients?: number
  readonly operationsPerSecond?: number
  /** How often a leader speaks up; the election timeout becomes at least five times that. */
  readonly heartbeatIntervalMillis?: number
  /** "swarm", the default, draws faults; "none" is a cluster to which nothing happens (see `Calm`). */
  readonly faults?: "swarm" | "none"
}

/** The plan of a seed. The same seed and bounds give the same plan. */
export const draw = (seed: string, bounds: Bounds = {}): Plan => {
  const plan = bounds.faults === "none" ? Calm.plan(seed, bounds) : drawSwarmPlan(seed, bounds)
  const { heartbeatIntervalMillis } = bounds
  return heartbeatIntervalMillis === undefined
    ? plan
    : { ...plan, config: { ...plan.config, ...timing(heartbeatIntervalMillis) } }
}

/** Election timeouts keep their default unless heartbeats are too slow for it. */
const timing = (heartbeatIntervalMillis: number) => ({
  heartbeatIntervalMillis,
  electionTimeoutMillis: Math.max(500, 5 * heartbeatIntervalMillis)
})

const drawSwarmPlan = (seed: string, bounds: Bounds): Plan => {
  const dice = new Dice()
  dice.reset(hashText(`${seed}/plan`), 0)
  const size = bounds.size ?? oneOf(dice, [1, 2, 3, 3, 3, 4, 5, 5, 7])
  const nodes = Array.from({ length: size }, (_, i) => NodeId.make(`n${i + 1}`))
  const durationMillis = bounds.durationMillis ?? dice.within([5_000, 20_000])
  const isRough = dice.happens(0.6)
  const plan: Plan = {
    seed,
    size,
    durationMillis,
    clients: bounds.clients ?? dice.within([1, 6]),
    operationsPerSecond: bounds.operationsPerSecond ?? oneOf(dice, [5, 20, 50, 100]),
    patienceMillis: oneOf(dice, [100, 1_000, 60_000]),
    sessions: drawSessions(seed),
    interleave: dice.happens(0.5),
    network: {
      delayMillis: oneOf(dice, [
        [0, 0],
        [1, 1],
        [0, 10],
        [1, 26],
        [0, 60],
        [0, 300]
      ] as const),
      loss: isRough ? oneOf(dice, [0, 0.01, 0.1, 0.2]) : 0,
      duplication: isRough ? oneOf(dice, [0, 0.05, 0.3]) : 0,
      heldRequests: isRough ? oneOf(dice, [0, 0, 0.05, 0.2]) : 0,
      heldReplies: isRough ? oneOf(dice, [0, 0, 0.1, 0.5]) : 0,
      inOrder: dice.happens(0.3)
    },
    config: drawConfig(dice),
    driftPerMille: nodes.map(() => oneOf(dice, [0, 0, 0, -20, 20, 100])),
    diskMillis: drawDisks(dice, nodes),
    notifyLost: dice.happens(0.5),
    faults: drawFaults(dice, nodes, durationMillis)
  }
  return Operators.join(plan)
}

/** Without their guards the elections are wild; with small appends a log is repaired entry by entry. */
const drawConfig = (dice: Dice): Plan["config"] => ({
  preVote: dice.happens(0.6),
  checkQuorum: dice.happens(0.6),
  maxAppendBytes: oneOf(dice, [1, 200, 500_000]),
  maxInflightEntries: oneOf(dice, [1, 10, 10_000]),
  snapshotEveryEntries: oneOf(dice, [4, 20, 100, 1_000_000]),
  snapshotTrailingEntries: oneOf(dice, [0, 0, 3, 20]),
  snapshotPieceBytes: oneOf(dice, [100, 1_000, 65_536])
})

/** In half of the runs; with short timeouts sessions expire, and with tight bounds they are refused. */
const drawSessions = (seed: string): Plan["sessions"] => {
  const dice = new Dice()
  dice.reset(hashText(`${seed}/sessions`), 0)
  if (dice.happens(0.5)) return null
  return {
    sessionTimeoutMillis: oneOf(dice, [200, 1_000, 5_000, 60_000]),
    maxSessions: oneOf(dice, [3, 10, 1_000]),
    maxSessionReplies: oneOf(dice, [1, 2, 100]),
    maxSessionReplyBytes: oneOf(dice, [1, 100, 10_000])
  }
}

/** In half of the runs disks are prompt; in the others a crash may take back what was not yet written. */
const drawDisks = (dice: Dice, nodes: ReadonlyArray<NodeId>): ReadonlyArray<number> => {
  const areSlow = dice.happens(0.5)
  return nodes.map(() => (areSlow ? oneOf(dice, [0, 2, 10, 50, 150]) : 0))
}

/** Of what kind the faults of a run are, how dense, how long, and whom they seek. */
interface Weather {
  readonly kinds: ReadonlyArray<FaultKind>
  readonly everyMillis: number
  readonly lengths: ReadonlyArray<readonly [number, number]>
  /** Draws whom a fault befalls. */
  readonly victim: () => Victim
}

const drawWeather = (dice: Dice, nodes: ReadonlyArray<NodeId>): Weather =>
  dice.happens(0.4) ? drawUsurpations(dice, nodes) : drawSwarm(dice, nodes)

/** One leader after the other is cut off, stopped or killed, and comes back to find another in its place. */
const drawUsurpations = (dice: Dice, nodes: ReadonlyArray<NodeId>): Weather => ({
  kinds: [isolate, crash, oneOf(dice, [isolate, crash, pause])],
  everyMillis: oneOf(dice, [300, 600, 1_200]),
  lengths: [[1, oneOf(dice, [1_000, 2_000])]],
  victim: drawVictims(dice, nodes, 0.75)
})

const drawSwarm = (dice: Dice, nodes: ReadonlyArray<NodeId>): Weather => {
  const variety = oneOf(dice, [0.1, 0.35])
  return {
    kinds: faultKinds.filter(() => dice.happens(variety)),
    everyMillis: oneOf(dice, [200, 500, 1_000, 2_000]),
    lengths: oneOf(dice, [[short], [middle], [long], [short, middle, long]]),
    victim: drawVictims(dice, nodes, oneOf(dice, [0, 0.5, 0.9]))
  }
}

const drawVictims =
  (dice: Dice, nodes: ReadonlyArray<NodeId>, leaderShare: number): Weather["victim"] =>
  () =>
    dice.happens(leaderShare) ? "leader" : oneOf(dice, nodes)

const short = [1, 50] as const
const middle = [50, 800] as const
const long = [600, 4_000] as const

const drawFaults = (
  dice: Dice,
  nodes: ReadonlyArray<NodeId>,
  durationMillis: number
): Array<ScheduledFault> => {
  const { kinds, everyMillis, lengths, victim } = drawWeather(dice, nodes)
  const faults: Array<ScheduledFault> = []
  if (kinds.length === 0) return faults
  // The first second belongs to the first election, mostly.
  for (let at = dice.within([0, 1_500]); at < durationMillis; at += dice.within([1, 2 * everyMillis])) {
    faults.push({
      atMillis: at,
      forMillis: dice.within(oneOf(dice, lengths)),
      fault: oneOf(dice, kinds)(dice, nodes, victim)
    })
  }
  return faults
}

type FaultKind = (dice: Dice, nodes: ReadonlyArray<NodeId>, victim: () => Victim) => Fault

const isolate: FaultKind = (_dice, _nodes, victim) => ({ _tag: "Isolate", node: victim() })

const pause: FaultKind = (_dice, _nodes, victim) => ({ _tag: "Pause", node: victim() })

const crash: FaultKind = (dice, _nodes, victim) => ({
  _tag: "Crash",
  node: victim(),
  keepsUnsynced: dice.happens(0.5)
})

const faultKinds: ReadonlyArray<FaultKind> = [
  (dice, nodes) => ({ _tag: "Partition", groups: drawGroups(dice, nodes) }),
  (dice, nodes, victim) => ({ _tag: "OneWay", from: victim(), to: oneOf(dice, nodes) }),
  isolate,
  (dice, nodes) => ({
    _tag: "Flap",
    one: oneOf(dice, nodes),
    other: oneOf(dice, nodes),
    periodMillis: dice.within([5, 400])
  }),
  crash,
  () => ({ _tag: "Blackout" }),
  (_dice, _nodes, victim) => ({ _tag: "Restart", node: victim() }),
  pause,
  (dice, _nodes, victim) => ({
    _tag: "SlowDisk",
    node: victim(),
    latencyMillis: dice.within([1, 300])
  }),
  (_dice, _nodes, victim) => ({ _tag: "HangingDisk", node: victim() }),
  (dice, _nodes, victim) => ({
    _tag: "FailingWrite",
    node: victim(),
    keepsUnsynced: dice.happens(0.5)
  }),
  (dice, nodes) => ({
    _tag: "ClockJump",
    node: oneOf(dice, nodes),
    byMillis: dice.within([-100_000, 100_000])
  }),
  () => ({ _tag: "Storm" })
]

const drawGroups = (dice: Dice, nodes: ReadonlyArray<NodeId>): ReadonlyArray<ReadonlyArray<NodeId>> => {
  const groups: [Array<NodeId>, Array<NodeId>, Array<NodeId>] = [[], [], []]
  const count = dice.within([2, 3])
  for (const node of nodes) groups[dice.within([0, count - 1])]!.push(node)
  return groups.filter((group) => group.length > 0)
}

/** One of a list that is not empty. */
export const oneOf = <A>(dice: Dice, list: ReadonlyArray<A>): A => list[dice.within([0, list.length - 1])]!
