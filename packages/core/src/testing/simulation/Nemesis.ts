/**
 * Carries out the faults of a plan, each at its time, and takes each back when its time is over.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type { NodeId } from "../../NodeId.ts"
import type { Raft, RaftStartError } from "../../Raft.ts"
import type { RaftError } from "../../RaftError.ts"
import type { Cluster } from "../TestCluster.ts"
import type { NodeClock } from "./NodeClock.ts"
import type { Fault, ScheduledFault, Victim } from "./Plan.ts"

type Operated = Pick<Raft<unknown, unknown, unknown>, "changeMembership" | "transferLeadership">

/** What a nemesis may lay hands on. */
export interface Target {
  readonly cluster: Pick<
    Cluster<unknown, unknown, unknown>,
    "nodeIds" | "network" | "disk" | "identityOf" | "start" | "stop" | "kill" | "isUp" | "leaders"
  > & {
    /** A node's handle, as an operator uses it. */
    readonly raft: (nodeId: NodeId) => Operated
  }
  readonly clockOf: (nodeId: NodeId) => NodeClock
  /** Whether a node no longer runs, also where it stopped itself. */
  readonly hasStopped: (nodeId: NodeId) => boolean
  /** How long a write takes where no fault makes it slower. */
  readonly diskMillisOf: (nodeId: NodeId) => number
  readonly setStorm: (isOn: boolean) => void
}

/** Runs the schedule to its end. */
export const run = (
  target: Target,
  faults: ReadonlyArray<ScheduledFault>
): Effect.Effect<void, RaftStartError> =>
  Effect.forEach(
    faults,
    ({ atMillis, forMillis, fault }) =>
      Effect.suspend(() => inject(target, fault, Effect.sleep(forMillis))).pipe(Effect.delay(atMillis)),
    { concurrency: "unbounded", discard: true }
  )

/** Takes everything back, whatever is still on, and starts all who are down. Those who run are not helped. */
export const healAll = (target: Target): Effect.Effect<void, RaftStartError> =>
  Effect.gen(function* () {
    const { cluster, hasStopped, setStorm } = target
    cluster.network.heal()
    setStorm(false)
    yield* letGo(target)
    for (const nodeId of cluster.nodeIds) {
      if (hasStopped(nodeId)) yield* restart(cluster, nodeId, Effect.void)
    }
  })

/** Nobody stands still any more, nor waits for a disk: a node that is held fast could not even be stopped. */
export const letGo = ({ cluster, clockOf }: Target): Effect.Effect<void> =>
  Effect.forEach(
    cluster.nodeIds,
    (nodeId) =>
      Effect.suspend(() => {
        cluster.network.resume(nodeId)
        clockOf(nodeId).resume()
        return cluster.disk.mend(cluster.identityOf(nodeId))
      }),
    { discard: true }
  )

const restart = (cluster: Target["cluster"], nodeId: NodeId, whileDown: Effect.Effect<void>) =>
  Effect.gen(function* () {
    yield* cluster.stop(nodeId)
    yield* whileDown
    yield* startIfDown(cluster, nodeId)
  })

/** As a supervisor does it: a start that the disk or a loss of power broke off is tried again. */
const startIfDown = (cluster: Target["cluster"], nodeId: NodeId) =>
  Effect.suspend(() => (cluster.isUp(nodeId) ? Effect.void : cluster.start(nodeId))).pipe(
    Effect.retry({ while: isOfDisk, schedule: Schedule.spaced(startAgainMillis) })
  )

const startAgainMillis = 10

const isOfDisk = (error: RaftStartError): boolean =>
  error._tag === "StorageError" && error.reason._tag === "IoFailed"

const crash = (
  cluster: Target["cluster"],
  nodeId: NodeId,
  keepsUnsynced: boolean,
  whileDown: Effect.Effect<void>
) =>
  Effect.gen(function* () {
    if (!cluster.isUp(nodeId)) return
    yield* cluster.kill(nodeId, keepsUnsynced ? "Kept" : "Lost")
    yield* whileDown
    yield* startIfDown(cluster, nodeId)
  })

const inject = (
  target: Target,
  fault: Fault,
  time: Effect.Effect<void>
): Effect.Effect<void, RaftStartError> => {
  const { cluster, clockOf, diskMillisOf, setStorm } = target
  const { network, disk, identityOf } = cluster
  const during = (begin: Effect.Effect<void>, end: Effect.Effect<void>) =>
    begin.pipe(Effect.andThen(time), Effect.andThen(end))
  const between = (begin: () => void, end: () => void) => during(Effect.sync(begin), Effect.sync(end))
  const node = "node" in fault ? find(cluster, fault.node) : cluster.nodeIds[0]!
  switch (fault._tag) {
    case "Partition":
      return between(
        () => network.partition(fault.groups),
        () => network.partition([cluster.nodeIds])
      )
    case "OneWay": {
      const direction = { from: find(cluster, fault.from), to: fault.to }
      return between(
        () => network.cut(direction),
        () => network.mend(direction)
      )
    }
    case "Isolate":
      return between(
        () => network.isolate(node),
        () => network.rejoin(node)
      )
    case "Flap":
      return flap(network, fault, time)
    case "Crash":
      return crash(cluster, node, fault.keepsUnsynced, time)
    case "Blackout":
      return Effect.forEach(cluster.nodeIds, (nodeId) => crash(cluster, nodeId, false, time), {
        concurrency: "unbounded",
        discard: true
      })
    case "Restart":
      return cluster.isUp(node) ? restart(cluster, node, time) : Effect.void
    case "Pause":
      return between(
        () => {
          network.pause(node)
          clockOf(node).pause()
        },
        () => {
          clockOf(node).resume()
          network.resume(node)
        }
      )
    case "SlowDisk":
      return during(
        disk.setWriteLatencyMillis(identityOf(node), fault.latencyMillis),
        disk.setWriteLatencyMillis(identityOf(node), diskMillisOf(node))
      )
    case "HangingDisk":
      return during(disk.hang(identityOf(node)), disk.release(identityOf(node)))
    case "FailingWrite":
      return Effect.gen(function* () {
        yield* disk.failNextWrite(identityOf(node), fault.keepsUnsynced ? "Kept" : "Lost")
        yield* time
        if (cluster.isUp(node)) yield* restart(cluster, node, Effect.void)
      })
    case "ClockJump":
      return Effect.sync(() => clockOf(node).jump(fault.byMillis))
    case "ChangeMembership":
      return atLeader(cluster, (raft) => raft.changeMembership(fault.change))
    case "Transfer":
      return atLeader(cluster, (raft) =>
        raft.transferLeadership(fault.to === null ? undefined : { to: fault.to })
      )
    case "Storm":
      return between(
        () => setStorm(true),
        () => setStorm(false)
      )
  }
}

/** What an operator asks may be refused, or end unknown: that is the cluster's good right. */
const atLeader = (
  cluster: Target["cluster"],
  ask: (raft: Operated) => Effect.Effect<unknown, RaftError>
): Effect.Effect<void> => {
  const [leader] = cluster.leaders()
  return leader === undefined ? Effect.void : Effect.ignore(ask(cluster.raft(leader)))
}

/** Where nobody leads, the first node has to stand in. */
const find = (cluster: Target["cluster"], victim: Victim): NodeId =>
  victim === "leader" ? (cluster.leaders()[0] ?? cluster.nodeIds[0]!) : victim

const flap = (
  network: Target["cluster"]["network"],
  { one, other, periodMillis }: Extract<Fault, { readonly _tag: "Flap" }>,
  time: Effect.Effect<void>
): Effect.Effect<void> => {
  const both = [
    { from: one, to: other },
    { from: other, to: one }
  ]
  const cycle = Effect.gen(function* () {
    both.forEach(network.cut)
    yield* Effect.sleep(periodMillis)
    both.forEach(network.mend)
    yield* Effect.sleep(periodMillis)
  })
  return Effect.gen(function* () {
    const flapping = yield* Effect.forkChild(Effect.forever(cycle))
    yield* time
    yield* Fiber.interrupt(flapping)
    both.forEach(network.mend)
  })
}
