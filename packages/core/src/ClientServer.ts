/**
 * Opens a node to remote clients: the entrance of the machine's Raft service, for a listener to use.
 *
 * ```ts
 * TcpClientServer.layer({ listen: "127.0.0.1:7201" }).pipe(
 *   Layer.provide(ClientServer.layer(Counter)),
 *   Layer.provide(Raft.layer(Counter, { ..., attributes: ClientServer.attributes("127.0.0.1:7201") }))
 * )
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ClientEntrance } from "./ClientEntrance.ts"
import * as Entrance from "./internal/Entrance.ts"
import type { StateMachineClass } from "./StateMachine.ts"

/**
 * What a node tells its peers so that they can send clients on to it: where it listens for them, as
 * clients reach it. To be put among the node's `attributes`.
 */
export const attributes = (address: string): Readonly<Record<string, string>> => ({
  [Entrance.clientAttribute]: address
})

/** The address among a node's attributes, if it is there. */
export const addressOf = (attributesOfNode: Readonly<Record<string, string>>): string | undefined =>
  attributesOfNode[Entrance.clientAttribute]

/** The entrance of the node that replicates `machine` in this process. */
export const layer = <Self, Command, Reply, View>(
  machine: StateMachineClass<Self, Command, Reply, View>
): Layer.Layer<ClientEntrance, never, Self> =>
  Layer.effect(
    ClientEntrance,
    Effect.map(machine.Raft, ({ entrance }) => entrance)
  )
