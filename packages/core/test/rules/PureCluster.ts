/**
 * A cluster without fibers, clocks or sockets: some nodes, and the messages between them in a list.
 *
 * Nothing happens by itself. Whoever holds the cluster says which message arrives next, whose timer
 * rings, which disk finishes a write and who loses power; so a script can tell a story step by step, and
 * a seed can try orders that nobody would think of.
 */
import type { Membership } from "../../src/Membership.ts"
import * as Members from "../../src/Membership.ts"
import type { NodeId } from "../../src/NodeId.ts"
import type { RaftConfig } from "../../src/RaftConfig.ts"
import type { RaftMessage } from "../../src/RaftMessage.ts"
import * as RaftStorage from "../../src/RaftStorage.ts"
import type { SnapshotMeta } from "../../src/Snapshot.ts"
import * as Election from "../../src/consensus/Election.ts"
import type { Event } from "../../src/consensus/Event.ts"
import type { NodeState } from "../../src/consensus/NodeState.ts"
import * as Replication from "../../src/consensus/Replication.ts"
import * as Snapshotting from "../../src/consensus/Snapshotting.ts"
import type { Turn } from "./SimulatedNode.ts"
import { SimulatedNode } from "./SimulatedNode.ts"

export interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: RaftMessage
}

/** Sees everything that happens, as it happens. */
export interface Observer {
  readonly onTurn?: (turn: Turn) => void
  readonly onSend?: (envelope: Envelope, sender: SimulatedNode) => void
  readonly onRestart?: (node: SimulatedNode) => void
}

export interface Options {
  readonly membership: Membership
  /** Nodes that belong to no cluster yet, and wait to be added. */
  readonly spares?: ReadonlyArray<NodeId>
  readonly config: RaftConfig
  /** What the disks hold at first; nothing unless said. */
  readonly stored?: Readonly<Record<string, RaftStorage.StoredState>>
  readonly snapshots?: Readonly<Record<string, SnapshotMeta>>
  readonly jitter: () => number
  readonly observers: ReadonlyArray<Observer>
}

export class PureCluster {
  nowMillis = 0
  readonly nodes: ReadonlyArray<SimulatedNode>
  /** Messages that were sent and have not arrived, oldest first. */
  inFlight: Array<Envelope> = []
  private readonly observers: ReadonlyArray<Observer>
  private readonly replicators = new Map<
    string,
    { readonly role: string; readonly cursor: Replication.Cursor }
  >()
  /** The piece of a snapshot that was last sent from one node to another. */
  private readonly pieces = new Map<string, string>()

  constructor(options: Options) {
    this.observers = options.observers
    const members = Members.allMembers(options.membership).map(({ id }) => id)
    const spares = options.spares ?? []
    this.nodes = [...members, ...spares].map(
      (id) =>
        new SimulatedNode({
          id,
          config: options.config,
          membership: members.includes(id) ? options.membership : Members.none,
          stored: options.stored?.[id] ?? RaftStorage.emptyState(),
          snapshot: options.snapshots?.[id],
          stamp: () => ({ nowMillis: this.nowMillis, wallMillis: this.nowMillis, jitter: options.jitter() }),
          send: ({ to, message }) => this.send(id, to, message),
          onTurn: (turn) => {
            for (const observer of this.observers) observer.onTurn?.(turn)
          }
        })
    )
  }

  node(id: string): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.id === id)
    if (node === undefined) throw new Error(`There is no node ${id}`)
    return node
  }

  /**
   * A message arrives, if its receiver is up. It stays in flight as well where `again`: the network duplicated it.
   */
  deliver(envelope: Envelope, options: { readonly again: boolean } = { again: false }): void {
    if (!options.again) this.drop(envelope)
    const { from, to, message } = envelope
    const receiver = this.node(to)
    if (receiver.isUp) receiver.handle({ _tag: "Received", from, message })
  }

  drop(envelope: Envelope): void {
    this.inFlight = this.inFlight.filter((other) => other !== envelope)
  }

  happens(node: SimulatedNode, event: Event): void {
    if (node.isUp) node.handle(event)
  }

  restart(node: SimulatedNode): void {
    node.restart()
    for (const observer of this.observers) observer.onRestart?.(node)
  }

  /** The node's vote fiber for `peer` looks at the state once. Whether it had something to ask. */
  ask(node: SimulatedNode, peer: NodeId): boolean {
    const request = node.isUp ? Election.requestFor(node.state, peer) : undefined
    if (request !== undefined) this.send(node.id, peer, request)
    return request !== undefined
  }

  /** The node's replicator for `peer` looks at the state once. Whether it had something to send. */
  replicate(node: SimulatedNode, peer: NodeId): boolean {
    if (!node.isUp) return false
    const key = `${node.id}>${peer}`
    const role = roleName(node.state)
    const known = this.replicators.get(key)
    const cursor = known?.role === role ? known.cursor : Replication.initialCursor
    const next = Replication.nextAppend(node.state, peer, cursor)
    if (next === undefined) return false
    this.replicators.set(key, { role, cursor: next.cursor })
    this.send(node.id, peer, next.message)
    return true
  }

  /**
   * The node's snapshot sender for `peer` looks at the state once, and sends the next piece that the peer
   * has not got; again with every heartbeat, for it may be lost. Whether it had something to send.
   */
  sendSnapshot(node: SimulatedNode, peer: NodeId): boolean {
    const { newest, bytes } = node.shelf
    const { role, config, currentTerm: term } = node.state
    if (!node.isUp || newest === undefined || role._tag !== "Leader") return false
    const known = this.replicators.get(`${node.id}>${peer}`)
    const cursor = known?.role === roleName(node.state) ? known.cursor : Replication.initialCursor
    if (!Replication.needsSnapshot(node.state, peer, cursor)) return false
    const offset = Snapshotting.standingOf(node.state, peer, newest.meta)?.offset
    const piece = `${roleName(node.state)} ${newest.meta.id} ${offset} ${role.beat}`
    if (offset === undefined || this.pieces.get(`${node.id}>${peer}`) === piece) return false
    this.pieces.set(`${node.id}>${peer}`, piece)
    const data = bytes.subarray(offset, offset + config.snapshotPieceBytes)
    const { meta: snapshot } = newest
    const sizeBytes = bytes.byteLength
    this.send(node.id, peer, { _tag: "InstallSnapshot", term, snapshot, sizeBytes, offset, data })
    return true
  }

  private send(from: NodeId, to: NodeId, message: RaftMessage): void {
    const envelope = { from, to, message }
    for (const observer of this.observers) observer.onSend?.(envelope, this.node(from))
    this.inFlight.push(envelope)
  }
}

/** Names a role Scope: the fibers of one do not outlive it. */
export const roleName = (state: NodeState): string => `${state.role._tag} ${state.currentTerm}`

/** The node that leads the highest term, if any does. */
export const leaderOf = (cluster: PureCluster): SimulatedNode | undefined =>
  cluster.nodes
    .filter((node) => node.isUp && node.state.role._tag === "Leader")
    .sort((a, b) => b.state.currentTerm - a.state.currentTerm)[0]
