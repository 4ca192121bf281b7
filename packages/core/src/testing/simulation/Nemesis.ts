/**
 * Carries out the faults of a plan, each at its time, and takes each back when its time is over.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { NodeId } from "../../NodeId.ts"
import type { RaftStartError } from "../../Raft.ts"
import type { Cluster } from "../RaftTest.ts"
import type { NodeClock } from "./NodeClock.ts"
import type { Fault, ScheduledFault } from "./Plan.ts"

/** What a nemesis may lay hands on. */
export interface Target {
  readonly cluster: Pick<
    Cluster<unknown, unknown, unknown>,
    "nodeIds" | "network" | "disk" | "identityOf" | "start" | "stop" | "kill" | "isUp"
  >
  readonly clockOf: (nodeId: NodeId) => NodeClock
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
      inject(target, fault, Effect.sleep(forMillis)).pipe(Effect.delay(atMillis)),
    { concurrency: "unbounded", discard: true }
  )

/** Takes everything back, whatever is still on, and starts all who are down. */
export const healAll = ({ cluster, clockOf, setStorm }: Target): Effect.Effect<void, RaftStartError> =>
  Effect.gen(function* () {
    cluster.network.heal()
    setStorm(false)
    for (const nodeId of cluster.nodeIds) {
      cluster.network.resume(nodeId)
      clockOf(nodeId).resume()
      yield* cluster.disk.mend(cluster.identityOf(nodeId))
    }
    // A node whose disk has failed looks up, but has stopped itself.
    for (const nodeId of cluster.nodeIds) yield* restart(cluster, nodeId, Effect.void)
  })

const restart = (cluster: Target["cluster"], nodeId: NodeId, whileDown: Effect.Effect<void>) =>
  Effect.gen(function* () {
    yield* cluster.stop(nodeId)
    yield* whileDown
    if (!cluster.isUp(nodeId)) yield* cluster.start(nodeId)
  })

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
    if (!cluster.isUp(nodeId)) yield* cluster.start(nodeId)
  })

const inject = (
  target: Target,
  fault: Fault,
  time: Effect.Effect<void>
): Effect.Effect<void, RaftStartError> => {
  const { cluster, clockOf, setStorm } = target
  const { network, disk } = cluster
  const during = (begin: () => void, end: () => void) =>
    Effect.andThen(Effect.sync(begin), Effect.andThen(time, Effect.sync(end)))
  switch (fault._tag) {
    case "Partition":
      return during(
        () => network.partition(fault.groups),
        () => network.partition([cluster.nodeIds])
      )
    case "OneWay":
      return during(
        () => network.cut(fault),
        () => network.mend(fault)
      )
    case "Isolate":
      return during(
        () => network.isolate(fault.node),
        () => network.rejoin(fault.node)
      )
    case "Flap":
      return flap(network, fault, time)
    case "Crash":
      return crash(cluster, fault.node, fault.keepsUnsynced, time)
    case "Blackout":
      return Effect.forEach(cluster.nodeIds, (nodeId) => crash(cluster, nodeId, false, time), {
        concurrency: "unbounded",
        discard: true
      })
    case "Restart":
      return cluster.isUp(fault.node) ? restart(cluster, fault.node, time) : Effect.void
    case "Pause":
      return during(
        () => {
          network.pause(fault.node)
          clockOf(fault.node).pause()
        },
        () => {
          clockOf(fault.node).resume()
          network.resume(fault.node)
        }
      )
    case "SlowDisk":
      return diskDuring(
        disk.setWriteLatencyMillis(cluster.identityOf(fault.node), fault.latencyMillis),
        time,
        disk.setWriteLatencyMillis(cluster.identityOf(fault.node), 0)
      )
    case "HangingDisk":
      return diskDuring(
        disk.hang(cluster.identityOf(fault.node)),
        time,
        disk.release(cluster.identityOf(fault.node))
      )
    case "FailingWrite":
      return Effect.gen(function* () {
        yield* disk.failNextWrite(cluster.identityOf(fault.node), fault.keepsUnsynced ? "Kept" : "Lost")
        yield* time
        if (cluster.isUp(fault.node)) yield* restart(cluster, fault.node, Effect.void)
      })
    case "ClockJump":
      return Effect.sync(() => clockOf(fault.node).jump(fault.byMillis))
    case "Storm":
      return during(
        () => setStorm(true),
        () => setStorm(false)
      )
  }
}

const diskDuring = (begin: Effect.Effect<void>, time: Effect.Effect<void>, end: Effect.Effect<void>) =>
  begin.pipe(Effect.andThen(time), Effect.andThen(end))

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
