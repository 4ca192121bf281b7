/**
 * The lives of the nodes of a cluster under test: each is started, ended and started again, one change at a
 * time, since on a slow disk a start takes a while. Every life is a node of its own, with chance of its own.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { NodeId } from "../NodeId.ts"
import * as Raft from "../Raft.ts"
import type { RaftStorage } from "../RaftStorage.ts"
import type { RaftTransport } from "../RaftTransport.ts"
import type { StateMachineClass } from "../StateMachine.ts"

export interface Options<Self, Command, Reply, View> {
  readonly machine: StateMachineClass<Self, Command, Reply, View>
  /** Which version of the machine a node runs from its next start on. */
  readonly programOf: (nodeId: NodeId) => StateMachineClass<Self, Command, Reply, View>
  readonly nodeIds: ReadonlyArray<NodeId>
  /** Asked for at each start. */
  readonly optionsOf: (nodeId: NodeId) => Raft.Options
  readonly environment: Layer.Layer<RaftTransport | RaftStorage>
  readonly seed: string
  readonly clockOf: (nodeId: NodeId) => Clock.Clock
}

export interface NodeLives<Command, Reply, View> {
  /** Nothing where it is running. */
  readonly start: (nodeId: NodeId) => Effect.Effect<void, Raft.RaftStartError>
  /** Nothing where it is not running. */
  readonly close: (nodeId: NodeId, exit: Exit.Exit<void>) => Effect.Effect<void>
  readonly isRunning: (nodeId: NodeId) => boolean
  readonly isStarting: (nodeId: NodeId) => boolean
  /** The handle of the newest life, if there was one. */
  readonly handleOf: (nodeId: NodeId) => Raft.Raft<Command, Reply, View> | undefined
}

export const make = <Self, Command, Reply, View>(
  options: Options<Self, Command, Reply, View>
): NodeLives<Command, Reply, View> => {
  const { clockOf, environment, machine, nodeIds, optionsOf, programOf, seed } = options
  const running = new Map<NodeId, Scope.Closeable>()
  const starting = new Set<NodeId>()
  const starts = new Map<NodeId, number>()
  const handles = new Map<NodeId, Raft.Raft<Command, Reply, View>>()
  const doors = new Map(nodeIds.map((nodeId) => [nodeId, Semaphore.makeUnsafe(1)]))

  const throughDoor = <A, E>(nodeId: NodeId, change: Effect.Effect<A, E>) =>
    doors.get(nodeId)!.withPermit(change)

  const startIfDown = (nodeId: NodeId) =>
    Effect.gen(function* () {
      if (running.has(nodeId)) return
      starting.add(nodeId)
      const count = (starts.get(nodeId) ?? 0) + 1
      starts.set(nodeId, count)
      const nodeScope = yield* Scope.make()
      const node = Raft.layer(programOf(nodeId), optionsOf(nodeId))
      const context = yield* Layer.buildWithScope(
        Layer.fresh(Layer.provide(node, environment)),
        nodeScope
      ).pipe(
        Random.withSeed(`${seed}/${nodeId}/${count}`),
        Effect.provideService(Clock.Clock, clockOf(nodeId)),
        Effect.onError((cause) => Scope.close(nodeScope, Exit.failCause(cause)))
      )
      handles.set(nodeId, Context.get(context, machine.Raft))
      running.set(nodeId, nodeScope)
    }).pipe(Effect.ensuring(Effect.sync(() => starting.delete(nodeId))))

  const closeIfUp = (nodeId: NodeId, exit: Exit.Exit<void>) =>
    Effect.suspend(() => {
      const nodeScope = running.get(nodeId)
      if (nodeScope === undefined) return Effect.void
      running.delete(nodeId)
      return Scope.close(nodeScope, exit)
    })

  return {
    start: (nodeId) => throughDoor(nodeId, startIfDown(nodeId)),
    close: (nodeId, exit) => throughDoor(nodeId, closeIfUp(nodeId, exit)),
    isRunning: (nodeId) => running.has(nodeId),
    isStarting: (nodeId) => starting.has(nodeId),
    handleOf: (nodeId) => handles.get(nodeId)
  }
}
