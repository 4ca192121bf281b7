/**
 * The network inside one process.
 *
 * Nodes that were opened on the same transport under the same cluster and group reach each other; that
 * is the whole of it. What happens to a message on its way is the business of a {@link Carrier}: the
 * perfect one hands it over on the spot, the one of the tests (`testing/MemoryNetwork`) delays, loses,
 * doubles and reorders it.
 *
 * Handing over on the spot is safe because a handler only puts the message into its node's mailbox: no
 * `send` ever runs inside another `send`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PeerAddress } from "./Membership.ts"
import type { NodeId } from "./NodeId.ts"
import type { RaftMessage } from "./RaftMessage.ts"
import { ListenFailed, RaftTransport, TransportError } from "./RaftTransport.ts"
import type { Endpoint, EndpointOptions, TransportHandler } from "./RaftTransport.ts"

/** One group of one cluster: those who can reach each other. */
export interface Room {
  readonly name: string
  /** The nodes that are open now. */
  readonly stations: Map<NodeId, Station>
  /** What each node said about itself when it last opened. */
  readonly attributes: Map<NodeId, Readonly<Record<string, string>>>
}

/** An open node, as its carrier sees it. */
export interface Station {
  readonly nodeId: NodeId
  readonly room: Room
  readonly handler: TransportHandler
  peers: ReadonlyMap<NodeId, PeerAddress>
  isOpen: boolean
}

/** What brings messages from one station to another. */
export interface Carrier {
  /** Takes a message on. `false` when it is certain that it will not arrive. */
  readonly carry: (from: Station, to: NodeId, message: RaftMessage) => boolean
  /** A station opened; it is in its room. */
  readonly opened: (station: Station) => void
  /** A station closed; it is no longer in its room. */
  readonly closed: (station: Station) => void
}

/**
 * Two stations are linked when either of them lists the other as its peer, as with sockets, where one
 * side dials and both may speak. So a node answers a leader of which it has not heard yet.
 */
export const linked = (from: Station, to: Station): boolean =>
  from !== to && (from.peers.has(to.nodeId) || to.peers.has(from.nodeId))

/** Tells all who were linked with a station that its end of the connection is gone. */
const tellPeersLost = (station: Station): void => {
  for (const other of station.room.stations.values()) {
    if (linked(other, station)) other.handler.onPeerLost(station.nodeId)
  }
}

/** Tells a station, and all who are linked with it, that they are connected. */
const tellPeersFound = (station: Station): void => {
  for (const other of station.room.stations.values()) {
    if (!linked(other, station)) continue
    other.handler.onPeerFound?.(station.nodeId)
    station.handler.onPeerFound?.(other.nodeId)
  }
}

const perfect: Carrier = {
  carry: (from, to, message) => {
    const receiver = from.room.stations.get(to)
    if (receiver === undefined || !linked(from, receiver)) return false
    receiver.handler.onMessage(from.nodeId, message)
    return true
  },
  opened: tellPeersFound,
  closed: tellPeersLost
}

/** A transport whose messages travel with `carrier`. Its nodes know nothing of those of another one. */
export const makeWith = (carrier: Carrier): RaftTransport["Service"] => {
  const rooms = new Map<string, Room>()

  const roomOf = (options: EndpointOptions): Room => {
    const name = `${options.clusterId}/${options.groupId}`
    let room = rooms.get(name)
    if (room === undefined) {
      room = { name, stations: new Map(), attributes: new Map() }
      rooms.set(name, room)
    }
    return room
  }

  const enter = (options: EndpointOptions): Effect.Effect<Station, TransportError> =>
    Effect.suspend(() => {
      const room = roomOf(options)
      if (room.stations.has(options.nodeId)) return Effect.fail(nameTaken(options.nodeId))
      const { nodeId, handler, peers } = options
      const station = { nodeId, room, handler, peers, isOpen: true }
      room.stations.set(nodeId, station)
      room.attributes.set(nodeId, options.attributes ?? {})
      carrier.opened(station)
      return Effect.succeed(station)
    })

  const leave = (station: Station): Effect.Effect<void> =>
    Effect.sync(() => {
      station.isOpen = false
      station.room.stations.delete(station.nodeId)
      carrier.closed(station)
    })

  return RaftTransport.of({
    open: (options) =>
      Effect.map(Effect.acquireRelease(enter(options), leave), (station) => endpoint(station, carrier))
  })
}

const endpoint = (station: Station, carrier: Carrier): Endpoint => ({
  send: (to, message) => station.isOpen && carrier.carry(station, to, message),
  setPeers: (peers) =>
    Effect.sync(() => {
      station.peers = peers
    }),
  problemWith: (address) => (address === "" ? "it is empty" : undefined),
  attributesOf: (peer) => station.room.attributes.get(peer) ?? {}
})

const nameTaken = (nodeId: NodeId): TransportError =>
  new TransportError({
    reason: new ListenFailed({
      address: nodeId,
      detail: "a node of this name is open already; close it first"
    })
  })

/** A perfect network: what is sent to an open node arrives at once and in order. */
export const make: Effect.Effect<RaftTransport["Service"]> = Effect.sync(() => makeWith(perfect))

/** A perfect network for all nodes that share this layer's instance. */
export const layer: Layer.Layer<RaftTransport> = Layer.effect(RaftTransport, make)
