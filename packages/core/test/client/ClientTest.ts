/**
 * A cluster in memory with a door for clients at every node, and clients of it. All in virtual time.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as ClientServer from "../../src/ClientServer.ts"
import * as MemoryClientTransport from "../../src/MemoryClientTransport.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftStartError } from "../../src/Raft.ts"
import * as RaftClient from "../../src/RaftClient.ts"
import { RaftClientTransport } from "../../src/RaftClientTransport.ts"
import type * as RaftTest from "../../src/testing/RaftTest.ts"
import { clusterTestOf } from "../cluster/ClusterTest.ts"
import type { ClusterOptions } from "../cluster/ClusterTest.ts"
import { Tally } from "./Tally.ts"

export type TallyCluster = RaftTest.Cluster<string, number, ReadonlyArray<string>>
export type TallyClient = (typeof Tally.Client)["Service"]

/** Where clients find the nodes of a cluster. */
export interface Doors {
  readonly hall: MemoryClientTransport.MemoryClientTransport
  /** A client that knows all nodes, or those given. */
  readonly client: (
    options?: Partial<RaftClient.Options>
  ) => Effect.Effect<TallyClient, RaftClient.InvalidClientOptions, Scope.Scope>
  /** The node loses its power, and its door is gone. */
  readonly kill: (nodeId: NodeId) => Effect.Effect<void>
  readonly start: (nodeId: NodeId) => Effect.Effect<void, RaftStartError>
}

/** 200 calls, two milliseconds apart; the leader dies under them. Answers with what became of each. */
export const whileTheLeaderDies = <A, E>(
  cluster: TallyCluster,
  doors: Doors,
  call: (command: string) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const leader = yield* cluster.awaitLeader()
    const calls = yield* Effect.forEach(
      Array.from({ length: 200 }, (_, i) => `${i}`),
      (command, i) =>
        Effect.forkChild(Effect.delay(Effect.result(call(command)), i * 2), { startImmediately: true })
    )
    yield* cluster.advance(150)
    yield* doors.kill(leader)
    return yield* cluster.drive(
      Effect.forEach(calls, (fiber) => Fiber.join(fiber)),
      { within: "60 seconds" }
    )
  })

export const addressOf = (nodeId: NodeId) => `door-${nodeId}`

/** A test on a cluster of tallies whose nodes all have a door. */
export const clientTest = <E>(
  name: string,
  options: ClusterOptions,
  body: (cluster: TallyCluster, doors: Doors) => Effect.Effect<void, E, Scope.Scope>
): void =>
  clusterTestOf(Tally)(
    name,
    { ...options, attributesOf: (nodeId) => ClientServer.attributes(addressOf(nodeId)) },
    (cluster) => Effect.flatMap(doorsOf(cluster), (doors) => body(cluster, doors))
  )

const doorsOf = (cluster: TallyCluster): Effect.Effect<Doors, never, Scope.Scope> =>
  Effect.gen(function* () {
    const hall = yield* MemoryClientTransport.make
    const scope = yield* Effect.scope
    const open = new Map<NodeId, Scope.Closeable>()

    const openDoor = Effect.fnUntraced(function* (nodeId: NodeId) {
      const door = yield* Scope.fork(scope)
      open.set(nodeId, door)
      yield* Scope.provide(hall.listen(addressOf(nodeId), cluster.raft(nodeId).entrance), door)
    })
    const closeDoor = (nodeId: NodeId) => {
      const door = open.get(nodeId)
      return door === undefined ? Effect.void : Scope.close(door, Exit.void)
    }

    for (const nodeId of cluster.nodeIds) if (cluster.isUp(nodeId)) yield* openDoor(nodeId)
    return {
      hall,
      client: (options) =>
        RaftClient.make(Tally.machine, {
          endpoints: cluster.nodeIds.map(addressOf),
          clusterId: "test",
          ...options
        }).pipe(Effect.provideService(RaftClientTransport, hall.transport)),
      kill: (nodeId) => Effect.andThen(closeDoor(nodeId), cluster.kill(nodeId)),
      start: (nodeId) => Effect.andThen(cluster.start(nodeId), openDoor(nodeId))
    }
  })
