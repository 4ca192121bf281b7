/**
 * What a process is after `init`: a member of a Raft group, with the replicated store on it and
 * Maelstrom's network between it and its peers.
 */
import * as MemoryStorage from "@effect-raft/core/MemoryStorage"
import type { NodeId } from "@effect-raft/core/NodeId"
import * as Raft from "@effect-raft/core/Raft"
import type { RaftError } from "@effect-raft/core/RaftError"
import { RaftTransport } from "@effect-raft/core/RaftTransport"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodePath from "node:path"
import * as LinKv from "./LinKv.ts"
import { LinKvMachine } from "./LinKvMachine.ts"
import * as MaelstromTransport from "./MaelstromTransport.ts"
import type * as Message from "./Message.ts"

export interface Member {
  readonly nodeId: NodeId
  readonly nodeIds: ReadonlyArray<string>
  readonly store: LinKv.LinKv
  /** Takes a peer's message; what is wrong with it, or nothing. */
  readonly receive: MaelstromTransport.MaelstromTransport["receive"]
  /** Never succeeds; fails when the node has stopped by itself. */
  readonly failure: Effect.Effect<never, RaftError>
}

export interface MemberOptions {
  readonly init: Message.Init
  readonly send: (message: Message.Envelope) => boolean
  /** Below it every node keeps its own directory; in memory if there is none. */
  readonly directory: string | undefined
  readonly consistency: Raft.Consistency
  readonly electionTimeoutMillis: number
  readonly heartbeatIntervalMillis: number
  readonly requestTimeoutMillis: number
}

/** Starts the member; it stops with the scope. */
export const make = Effect.fnUntraced(function* (options: MemberOptions) {
  const { init, send, directory, consistency, ...config } = options
  const { receive, transport } = MaelstromTransport.make(send)
  const context = yield* Layer.build(
    Raft.layer(LinKvMachine, {
      clusterId: "maelstrom",
      nodeId: init.node_id,
      // The network finds a node by its name, so there is nothing to say about where it is.
      members: Object.fromEntries(init.node_ids.map((id) => [id, id])),
      config
    }).pipe(
      Layer.provide(Layer.succeed(RaftTransport, transport)),
      Layer.provide(directory === undefined ? MemoryStorage.layer : filesBelow(directory))
    )
  )
  const raft = Context.get(context, LinKvMachine.Raft)
  return {
    nodeId: raft.nodeId,
    nodeIds: init.node_ids,
    store: LinKv.make({ raft, consistency }),
    receive,
    failure: raft.failure
  } satisfies Member
})

const filesBelow = (directory: string) =>
  Layer.provide(
    FileStorage.layer({ directory: ({ nodeId }) => NodePath.join(directory, nodeId) }),
    NodeLogFileSystem.layer
  )

/** Whether `init` says again what made this member. */
export const isCalled = (member: Member, init: Message.Init): boolean =>
  member.nodeId === init.node_id && member.nodeIds.join("\n") === init.node_ids.join("\n")
