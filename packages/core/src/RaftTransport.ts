/**
 * The port to the peers.
 *
 * Raft asks little of a network: messages may be lost, delayed, doubled or reordered, but not forged.
 * So `send` never waits and never fails; a message that cannot be queued is dropped. What the transport
 * adds is identity (both ends agree on cluster, group and protocol before a message passes) and the
 * news that a peer's connection broke, or that there is one, which lets a follower stand for election before
 * its timer ends.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { PeerAddress } from "./Membership.ts"
import { NodeId } from "./NodeId.ts"
import type { ClusterId, GroupId } from "./NodeId.ts"
import type { RaftMessage } from "./RaftMessage.ts"

/** The listening address is taken, or cannot be bound; who would have called there are a node's peers unless said. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  callers: Schema.Literals(["peers", "clients"]).pipe(Schema.withConstructorDefault(Effect.succeed("peers"))),
  address: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Cannot listen for ${this.callers} at ${this.address}: ${this.detail}`
  }
}

/** An address that this transport cannot read. */
export class InvalidAddress extends Schema.TaggedError<InvalidAddress>()("InvalidAddress", {
  nodeId: NodeId,
  address: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The address "${this.address}" of ${this.nodeId} is no good: ${this.detail}`
  }
}

export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  reason: Schema.Union([ListenFailed, InvalidAddress])
}) {
  override get message() {
    return this.reason.message
  }
}

/** What a node gives to its transport. Both functions are synchronous, quick and never throw. */
export interface TransportHandler {
  /** A message arrived. The blocks in it may be views of a buffer; that buffer is never written again. */
  readonly onMessage: (from: NodeId, message: RaftMessage) => void
  /** A connection with this peer broke: it may be dead. May be called more than once, or never. */
  readonly onPeerLost: (peer: NodeId) => void
  /** There is a connection with this peer, where there was none. May be called more than once, or never. */
  readonly onPeerFound?: (peer: NodeId) => void
}

/** Who opens an endpoint, and whom it will talk to. */
export interface EndpointOptions {
  readonly clusterId: ClusterId
  readonly groupId: GroupId
  readonly nodeId: NodeId
  /** Members by name. This node's own address may be among them and is ignored. */
  readonly peers: ReadonlyMap<NodeId, PeerAddress>
  /** Facts about this node that its peers may want to know, such as the URL of its HTTP API. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly handler: TransportHandler
}

/** A node's open end of the network. */
export interface Endpoint {
  /**
   * Queues a message and returns at once. `false` when it was dropped (unknown peer, full outbox). A node
   * that lists this one without being listed here is known too, while it is connected: it can be answered.
   */
  readonly send: (to: NodeId, message: RaftMessage) => boolean
  /** Replaces the set of peers: opens links to new ones, closes those of the gone. */
  readonly setPeers: (peers: ReadonlyMap<NodeId, PeerAddress>) => Effect.Effect<void, TransportError>
  /** Why an address cannot be one of a peer, in words; `undefined` where it can. Nothing is looked up. */
  readonly problemWith: (address: PeerAddress) => string | undefined
  /** What a peer told about itself when it last connected; empty before that. */
  readonly attributesOf: (peer: NodeId) => Readonly<Record<string, string>>
}

export class RaftTransport extends Context.Service<
  RaftTransport,
  {
    /**
     * Joins the network. Messages flow until the scope closes; after that `send` drops everything and
     * the handler is not called again.
     */
    readonly open: (options: EndpointOptions) => Effect.Effect<Endpoint, TransportError, Scope.Scope>
    /**
     * `true` promises that what is sent is copied: no byte of a block is looked at after `send`, but for a message
     * that still waits here, which is dropped where its blocks are gone (`LogEntry.isGone`); and nobody else holds
     * the blocks that the handler is given. Then a node may use the memory of its log again.
     */
    readonly copiesBlocks?: true
  }
>()("@effect-raft/core/RaftTransport") {}
