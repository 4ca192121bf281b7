/**
 * The nodes of the transport contract: each opens an endpoint, keeps what its handler is told, and lets a
 * case wait for it. Nothing here knows what carries the messages.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { PeerAddress } from "../Membership.ts"
import { ClusterId, defaultGroup, NodeId } from "../NodeId.ts"
import type { AppendEntries, RaftMessage } from "../RaftMessage.ts"
import type { Endpoint, EndpointOptions, RaftTransport, TransportError } from "../RaftTransport.ts"
import { Term } from "../Term.ts"
import { fingerprint } from "./RaftMessageArbitrary.ts"

/** The transport did not keep its promise. */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  detail: Schema.String
}) {
  override get message() {
    return `Broken transport contract: ${this.detail}`
  }
}

/** A place where one node can be open at a time, and the address by which its peers reach it there. */
export interface Site {
  readonly transport: RaftTransport["Service"]
  readonly address: PeerAddress
}

/** Makes the sites of one network. */
export type Sites = Effect.Effect<Site, TransportError, Scope.Scope>

export const a = NodeId.make("a")
export const b = NodeId.make("b")
export const c = NodeId.make("c")

export interface Node extends Endpoint {
  readonly id: NodeId
  /** Waits for the next message, and fails if it is not from `from`. Probes are left out. */
  readonly receive: (from: NodeId) => Effect.Effect<RaftMessage, ContractViolation>
  /** Messages that have arrived and were not received, probes left out. */
  readonly waiting: () => number
  /** Whether any message, probes included, has come from `from`. */
  readonly heardFrom: (from: NodeId) => boolean
  /** Waits until the peer is reported found. */
  readonly finds: (peer: NodeId) => Effect.Effect<void>
  /** Waits until the peer is reported lost. */
  readonly loses: (peer: NodeId) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

/** What {@link connect} sends until one arrives. */
export const probe: RaftMessage = { _tag: "ReadIndex", term: Term.make(0), requestId: 0 }

const maxInbox = 65_536

export const open = Effect.fnUntraced(function* (
  site: Site,
  id: NodeId,
  peers: Readonly<Record<string, Site>>,
  options: Partial<EndpointOptions> = {}
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const inbox = yield* Queue.dropping<{ readonly from: NodeId; readonly message: RaftMessage }>(maxInbox)
  const finds = yield* Queue.dropping<NodeId>(maxInbox)
  const losses = yield* Queue.dropping<NodeId>(maxInbox)
  const heard = new Set<NodeId>()
  const endpoint = yield* site.transport
    .open({
      clusterId: ClusterId.make("contract"),
      groupId: defaultGroup,
      nodeId: id,
      peers: addresses(peers),
      handler: {
        onMessage: (from, message) => {
          heard.add(from)
          if (!isProbe(message)) Queue.offerUnsafe(inbox, { from, message })
        },
        onPeerFound: (peer) => Queue.offerUnsafe(finds, peer),
        onPeerLost: (peer) => Queue.offerUnsafe(losses, peer)
      },
      ...options
    })
    .pipe(Scope.provide(scope))
  const node: Node = {
    ...endpoint,
    id,
    receive: (from) =>
      Effect.flatMap(Queue.take(inbox), (arrived) =>
        arrived.from === from
          ? Effect.succeed(arrived.message)
          : violated(`${arrived.from} sent to ${id}, not ${from}`)
      ),
    waiting: () => Queue.sizeUnsafe(inbox),
    heardFrom: (from) => heard.has(from),
    finds: (peer) => untilTaken(finds, peer),
    loses: (peer) => untilTaken(losses, peer),
    close: Scope.close(scope, Exit.void)
  }
  return node
})

const untilTaken = (told: Queue.Dequeue<NodeId>, peer: NodeId): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(Queue.take(told), { until: (taken) => taken === peer }))

export const isProbe = (message: RaftMessage): boolean => message._tag === "ReadIndex" && message.term === 0

export const addresses = (peers: Readonly<Record<string, Site>>): ReadonlyMap<NodeId, PeerAddress> =>
  new Map(Object.entries(peers).map(([id, { address }]) => [NodeId.make(id), address]))

/** Two nodes that list each other, connected. */
export const pair = Effect.fnUntraced(function* (site: Sites) {
  const peers = { a: yield* site, b: yield* site }
  const nodes = { a: yield* open(peers.a, a, peers), b: yield* open(peers.b, b, peers), peers }
  yield* connect(nodes.a, nodes.b)
  return nodes
})

/** Waits until messages pass both ways. */
export const connect = (one: Node, other: Node): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!other.heardFrom(one.id) || !one.heardFrom(other.id)) {
      one.send(other.id, probe)
      other.send(one.id, probe)
      yield* Effect.yieldNow
    }
  })

/** Sends, and waits where the outbox is full. */
export const send = (from: Node, to: NodeId, message: RaftMessage): Effect.Effect<void> =>
  Effect.suspend(() =>
    from.send(to, message) ? Effect.void : Effect.andThen(Effect.yieldNow, send(from, to, message))
  )

const violated = (detail: string) => Effect.fail(new ContractViolation({ detail }))

export const expect = (holds: boolean, detail: string): Effect.Effect<void, ContractViolation> =>
  holds ? Effect.void : violated(detail)

export const expectSame = (
  received: RaftMessage,
  sent: RaftMessage
): Effect.Effect<void, ContractViolation> => {
  const [one, other] = [fingerprint(received), fingerprint(sent)]
  return expect(one === other, `sent ${other.slice(0, 500)}, received ${one.slice(0, 500)}`)
}

// --- messages -----------------------------------------------------------------------------------------

export const numbered = (round: number): RaftMessage => ({
  _tag: "AppendAccepted",
  term: Term.make(1),
  matchIndex: LogIndex.LogIndex.make(1),
  round
})

/** An append whose payload is a pattern of its own. */
export const append = (round: number, payloadBytes: number): AppendEntries => {
  const payload = new Uint8Array(payloadBytes).map((_, at) => (at * 7 + round * 31) & 0xff)
  const options = {
    firstIndex: LogIndex.LogIndex.make(round + 1),
    term: Term.make(1),
    timestampMillis: round
  }
  const blocks = [LogEntry.encodeBlock([{ kind: "Command", payload }], options)]
  const prevLogIndex = LogIndex.LogIndex.make(round)
  return {
    _tag: "AppendEntries",
    term: Term.make(1),
    prevLogIndex,
    prevLogTerm: Term.make(1),
    blocks,
    leaderCommit: LogIndex.zero,
    round
  }
}
