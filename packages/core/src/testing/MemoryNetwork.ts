/**
 * A network that misbehaves on purpose, the same way every time.
 *
 * Whole clusters run over it under a test's clock, or a simulator's. What befalls a message (its delay,
 * its loss, its double) is drawn from the seed, the link it travels on and its number on that link, and
 * from nothing else: so a run repeats from its seed in whatever order the nodes' fibers happen to run.
 * The settings are in `LinkFaults`, the cuts in `Topology`.
 *
 * Messages that are due at the same millisecond share one alarm: a timer of the simulation, or a fiber
 * that sleeps. That is never more of them than the longest delay has milliseconds, nobody has to be woken
 * early when a message with a short delay follows one with a long one, and a message costs one map look-up.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as MemoryTransport from "../MemoryTransport.ts"
import type { Room, Station } from "../MemoryTransport.ts"
import type { NodeId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import { RaftTransport } from "../RaftTransport.ts"
import * as Alarm from "./Alarm.ts"
import { Dice, drawDelay, hashText, isReply, lost, reliable } from "./LinkFaults.ts"
import type { LinkSettings } from "./LinkFaults.ts"
import { leavesMillis } from "./NetworkLink.ts"
import type { Link, Parcel } from "./NetworkLink.ts"
import { keyOf, Topology } from "./Topology.ts"
import type { Direction } from "./Topology.ts"
import { TrafficCount } from "./TrafficCount.ts"
import type { Traffic, TrafficFilter } from "./TrafficCount.ts"

/** What happened to a message. `number` counts the messages of its link from 0. */
export interface NetworkEvent {
  readonly _tag: "Sent" | "Delivered" | "Lost"
  readonly atMillis: number
  readonly from: NodeId
  readonly to: NodeId
  readonly number: number
  readonly message: RaftMessage
}

export interface MemoryNetworkOptions {
  /** All chance comes from it. */
  readonly seed: string
  /** How every link behaves at first. Default: reliable, without delay. */
  readonly settings?: LinkSettings
  /**
   * Whether the peers of a node that opens or closes hear of it, as a connection that is made or broken tells
   * them, and so no longer send to one that is closed. Default: true.
   */
  readonly notifyLost?: boolean
  /** Sees every message go and come. Called inside `send`; must be quick and must not throw. */
  readonly observe?: (event: NetworkEvent) => void
}

/** The network and the switches to disturb it with. All of them act at once. */
export interface MemoryNetwork {
  readonly transport: RaftTransport["Service"]
  readonly layer: Layer.Layer<RaftTransport>
  /** Changes how all links behave, also those configured one by one. */
  readonly configure: (settings: Partial<LinkSettings>) => void
  /** Changes how one direction behaves. */
  readonly configureLink: (direction: Direction, settings: Partial<LinkSettings>) => void
  /** Nothing passes from `from` to `to`, not even what is under way. */
  readonly cut: (direction: Direction) => void
  readonly cutBoth: (one: NodeId, other: NodeId) => void
  /** Undoes a `cut` of this direction. */
  readonly mend: (direction: Direction) => void
  /** Cuts a node off from everybody. */
  readonly isolate: (node: NodeId) => void
  /** Undoes `isolate`. */
  readonly rejoin: (node: NodeId) => void
  /** Only nodes of the same group reach each other; nodes that are not named form one more group. */
  readonly partition: (groups: ReadonlyArray<ReadonlyArray<NodeId>>) => void
  /** Undoes every cut, isolation and partition. Settings and pauses stay. */
  readonly heal: () => void
  /** Like a stopped process: what the node sends and what is sent to it waits until `resume`. */
  readonly pause: (node: NodeId) => void
  readonly resume: (node: NodeId) => void
  /** Like a machine without power: what the node still sends is lost, until it opens anew. */
  readonly silence: (node: NodeId) => void
  /** What was sent since the start or the last `resetTraffic`, lost messages included. */
  readonly traffic: (filter?: TrafficFilter) => Traffic
  readonly resetTraffic: () => void
  /** Messages that are under way or waiting for a paused node. */
  readonly inFlight: () => number
}

/** More than this a paused node does not keep waiting; the rest is lost. */
const maxHeldMessages = 100_000

/** An open node, as the network sees it. */
interface Sender {
  /** To whom it has sent, also in its lives before. */
  readonly links: Map<NodeId, Link>
  isSilenced: boolean
}

/** Makes a network. It delivers until the scope closes. */
export const make: (options: MemoryNetworkOptions) => Effect.Effect<MemoryNetwork, never, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const clock = yield* Clock.Clock
    const setAlarm = yield* Alarm.make

    const topology = new Topology()
    const dice = new Dice()
    const observe = options.observe
    const ownSettings = new Map<string, LinkSettings>()
    const links = new Map<Room, Map<NodeId, Map<NodeId, Link>>>()
    const senders = new Map<Station, Sender>()
    const held = new Map<NodeId, Array<() => void>>()
    const due = new Map<number, Array<Parcel>>()
    let settings = options.settings ?? reliable

    // --- links ----------------------------------------------------------------------------------

    const senderOf = (station: Station): Sender =>
      getOrMake(senders, station, () => {
        const bySender = getOrMake(links, station.room, () => new Map<NodeId, Map<NodeId, Link>>())
        const ownLinks = getOrMake(bySender, station.nodeId, () => new Map<NodeId, Link>())
        return { links: ownLinks, isSilenced: false }
      })

    const newLink = (room: Room, { from, to }: Direction): Link => ({
      room,
      from,
      to,
      seed: hashText(`${options.seed}/${room.name}/${from}>${to}`),
      traffic: new TrafficCount(),
      settings: settingsOf({ from, to }),
      cut: topology.isCut({ from, to }),
      sent: 0,
      lastDueMillis: 0,
      busyUntilMillis: 0
    })

    const eachLink = (change: (link: Link) => void) => {
      for (const bySender of links.values()) {
        for (const byReceiver of bySender.values()) byReceiver.forEach(change)
      }
    }

    const settingsOf = (direction: Direction): LinkSettings => ownSettings.get(keyOf(direction)) ?? settings

    const refreshSettings = () =>
      eachLink((link) => {
        link.settings = settingsOf(link)
      })

    const changeTopology = (change: () => void) => {
      change()
      eachLink((link) => {
        link.cut = topology.isCut(link)
      })
    }

    const report = (_tag: NetworkEvent["_tag"], { link, message, number }: Parcel) =>
      observe?.({
        _tag,
        atMillis: clock.currentTimeMillisUnsafe(),
        from: link.from,
        to: link.to,
        number,
        message
      })

    // --- delivery -------------------------------------------------------------------------------

    const unlessPaused = (node: NodeId, act: () => void) => {
      const waiting = held.get(node)
      if (waiting === undefined) act()
      else if (waiting.length < maxHeldMessages) waiting.push(act)
    }

    const deliver = (parcel: Parcel): void => {
      const { link, message } = parcel
      const receiver = link.room.stations.get(link.to)
      if (link.cut || receiver === undefined) {
        report("Lost", parcel)
      } else if (held.has(link.to)) {
        unlessPaused(link.to, () => deliver(parcel))
      } else {
        report("Delivered", parcel)
        receiver.handler.onMessage(link.from, message)
      }
    }

    const deliverAt = (dueMillis: number, nowMillis: number, parcel: Parcel) => {
      const together = due.get(dueMillis)
      if (together !== undefined) {
        together.push(parcel)
      } else if (dueMillis <= nowMillis) {
        deliver(parcel)
      } else {
        due.set(dueMillis, [parcel])
        setAlarm(dueMillis - nowMillis, () => deliverDue(dueMillis))
      }
    }

    const deliverDue = (dueMillis: number): void => {
      const together = due.get(dueMillis) ?? []
      // What a delivery sends without delay comes after what was due before it: the list may still grow.
      for (const parcel of together) deliver(parcel)
      due.delete(dueMillis)
    }

    const travel = (parcel: Parcel, delayMillis: number) => {
      const { link } = parcel
      const nowMillis = clock.currentTimeMillisUnsafe()
      const arrivesMillis = leavesMillis(parcel, nowMillis) + delayMillis
      const dueMillis = link.settings.inOrder ? Math.max(arrivesMillis, link.lastDueMillis) : arrivesMillis
      link.lastDueMillis = dueMillis
      deliverAt(dueMillis, nowMillis, parcel)
    }

    const dispatch = (link: Link, message: RaftMessage) => {
      const number = link.sent++
      const parcel = { link, number, message }
      link.traffic.add(message)
      report("Sent", parcel)
      const reply = isReply(message._tag)
      dice.reset(link.seed, number)
      const delayMillis = drawDelay(dice, link.settings, reply)
      // The double is drawn before anything is delivered: a delivery may send, and so throw the same dice.
      const doubled = dice.happens(link.settings.duplication)
      const doubleDelayMillis = doubled ? drawDelay(dice, link.settings, reply) : lost
      if (link.cut || delayMillis === lost) report("Lost", parcel)
      else travel(parcel, delayMillis)
      if (!link.cut && doubleDelayMillis !== lost) travel(parcel, doubleDelayMillis)
    }

    const carry = (from: Station, to: NodeId, message: RaftMessage): boolean => {
      const sender = senderOf(from)
      if (sender.isSilenced) return false
      const receiver = from.room.stations.get(to)
      const known =
        to !== from.nodeId &&
        (receiver === undefined ? from.peers.has(to) : MemoryTransport.linked(from, receiver))
      if (!known) return false
      const link = getOrMake(sender.links, to, () => newLink(from.room, { from: from.nodeId, to }))
      // Who hears of broken connections knows that there is nobody to send to.
      if (receiver === undefined && options.notifyLost !== false && !link.cut) return false
      if (held.has(from.nodeId)) unlessPaused(from.nodeId, () => dispatch(link, message))
      else dispatch(link, message)
      return true
    }

    const tellPeersLost = (station: Station) => {
      for (const other of station.room.stations.values()) {
        if (
          !MemoryTransport.linked(other, station) ||
          topology.isCut({ from: station.nodeId, to: other.nodeId })
        )
          continue
        unlessPaused(other.nodeId, () => other.handler.onPeerLost(station.nodeId))
      }
    }

    const tellPeersFound = (station: Station) => {
      const isCut = (from: Station, to: Station) => topology.isCut({ from: from.nodeId, to: to.nodeId })
      const tell = (one: Station, other: Station) =>
        unlessPaused(one.nodeId, () => one.handler.onPeerFound?.(other.nodeId))
      for (const other of station.room.stations.values()) {
        if (!MemoryTransport.linked(other, station) || isCut(station, other) || isCut(other, station))
          continue
        tell(station, other)
        tell(other, station)
      }
    }

    const transport = MemoryTransport.makeWith({
      carry,
      opened: (station) => {
        if (options.notifyLost !== false) tellPeersFound(station)
      },
      closed: (station) => {
        senders.delete(station)
        if (options.notifyLost !== false) tellPeersLost(station)
      }
    })

    // --- switches -------------------------------------------------------------------------------

    return {
      transport,
      layer: Layer.succeed(RaftTransport, transport),
      configure: (changed) => {
        settings = { ...settings, ...changed }
        for (const [key, own] of ownSettings) ownSettings.set(key, { ...own, ...changed })
        refreshSettings()
      },
      configureLink: (direction, changed) => {
        ownSettings.set(keyOf(direction), { ...settingsOf(direction), ...changed })
        refreshSettings()
      },
      cut: (direction) => changeTopology(() => topology.cut(direction)),
      cutBoth: (one, other) =>
        changeTopology(() => {
          topology.cut({ from: one, to: other })
          topology.cut({ from: other, to: one })
        }),
      mend: (direction) => changeTopology(() => topology.mend(direction)),
      isolate: (node) => changeTopology(() => topology.isolate(node)),
      rejoin: (node) => changeTopology(() => topology.rejoin(node)),
      partition: (groups) => changeTopology(() => topology.partition(groups)),
      heal: () => changeTopology(() => topology.heal()),
      pause: (node) => {
        if (!held.has(node)) held.set(node, [])
      },
      resume: (node) => {
        const waiting = held.get(node) ?? []
        held.delete(node)
        for (const act of waiting) act()
      },
      silence: (node) => {
        for (const room of links.keys()) {
          const station = room.stations.get(node)
          if (station !== undefined) senderOf(station).isSilenced = true
        }
      },
      traffic: ({ from, tag } = {}) => {
        const sum = { messages: 0, bytes: 0 }
        eachLink((link) => {
          if (from === undefined || from === link.from) link.traffic.addTo(sum, tag)
        })
        return sum
      },
      resetTraffic: () => eachLink(({ traffic }) => traffic.clear()),
      inFlight: () => total(due) + total(held)
    }
  })

const total = (lists: ReadonlyMap<unknown, ReadonlyArray<unknown>>): number => {
  let sum = 0
  for (const list of lists.values()) sum += list.length
  return sum
}

const getOrMake = <K, V>(map: Map<K, V>, key: K, makeValue: () => V): V => {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = makeValue()))
  return value
}
