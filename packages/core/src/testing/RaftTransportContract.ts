/**
 * What every `RaftTransport` promises, as a list of named effects that any test runner can run.
 *
 * A node leans on little: a message arrives unchanged or not at all, messages of a healthy link keep
 * their order, a stranger's do not arrive, and `send` never waits. All of it is tried through the port
 * alone. A case waits for what must happen and never for time to pass.
 *
 * ```ts
 * for (const { name, run } of RaftTransportContract.cases(myNetwork)) it.live(name, () => run)
 * ```
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { PeerAddress } from "../Membership.ts"
import { ClusterId, defaultGroup, GroupId, NodeId } from "../NodeId.ts"
import type { AppendEntries, RaftMessage } from "../RaftMessage.ts"
import type { Endpoint, EndpointOptions, RaftTransport, TransportError } from "../RaftTransport.ts"
import { Term } from "../Term.ts"
import { fingerprint, raftMessage } from "./RaftMessageArbitrary.ts"

/** The transport did not keep its promise. */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  detail: Schema.String
}) {
  override get message() {
    return `Broken transport contract: ${this.detail}`
  }
}

/** One promise. `run` fails, or dies, or never ends, where it is broken. */
export interface ContractCase {
  readonly name: string
  readonly run: Effect.Effect<void, ContractViolation | TransportError>
}

/** A place where one node can be open at a time, and the address by which its peers reach it there. */
export interface Site {
  readonly transport: RaftTransport["Service"]
  readonly address: PeerAddress
}

/** Makes a new network. What comes out makes the sites of that network, each for another node. */
export type Network = Effect.Effect<
  Effect.Effect<Site, TransportError, Scope.Scope>,
  TransportError,
  Scope.Scope
>

/** Every case, over networks made by `network`. */
export const cases = (network: Network): ReadonlyArray<ContractCase> =>
  promises.map(({ name, promise }) => ({
    name,
    run: network.pipe(Effect.flatMap(promise), Effect.scoped)
  }))

type Sites = Effect.Effect<Site, TransportError, Scope.Scope>

interface Promised {
  readonly name: string
  readonly promise: (site: Sites) => Effect.Effect<void, ContractViolation | TransportError, Scope.Scope>
}

// --- nodes --------------------------------------------------------------------------------------------

const a = NodeId.make("a")
const b = NodeId.make("b")
const c = NodeId.make("c")

interface Node extends Endpoint {
  readonly id: NodeId
  /** Waits for the next message, and fails if it is not from `from`. Probes are left out. */
  readonly receive: (from: NodeId) => Effect.Effect<RaftMessage, ContractViolation>
  /** Messages that have arrived and were not received, probes left out. */
  readonly waiting: () => number
  /** Whether any message, probes included, has come from `from`. */
  readonly heardFrom: (from: NodeId) => boolean
  /** Waits until the peer is reported lost. */
  readonly loses: (peer: NodeId) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

/** What {@link connect} sends until one arrives. */
const probe: RaftMessage = { _tag: "ReadIndex", term: Term.make(0), requestId: 0 }

const maxInbox = 65_536

const open = Effect.fnUntraced(function* (
  site: Site,
  id: NodeId,
  peers: Readonly<Record<string, Site>>,
  options: Partial<EndpointOptions> = {}
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const inbox = yield* Queue.dropping<{ readonly from: NodeId; readonly message: RaftMessage }>(maxInbox)
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
    loses: (peer) => Effect.asVoid(Effect.repeat(Queue.take(losses), { until: (lost) => lost === peer })),
    close: Scope.close(scope, Exit.void)
  }
  return node
})

const isProbe = (message: RaftMessage): boolean => message._tag === "ReadIndex" && message.term === 0

const addresses = (peers: Readonly<Record<string, Site>>): ReadonlyMap<NodeId, PeerAddress> =>
  new Map(Object.entries(peers).map(([id, { address }]) => [NodeId.make(id), address]))

/** Two nodes that list each other, connected. */
const pair = Effect.fnUntraced(function* (site: Sites) {
  const peers = { a: yield* site, b: yield* site }
  const nodes = { a: yield* open(peers.a, a, peers), b: yield* open(peers.b, b, peers), peers }
  yield* connect(nodes.a, nodes.b)
  return nodes
})

/** Waits until messages pass both ways. */
const connect = (one: Node, other: Node): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!other.heardFrom(one.id) || !one.heardFrom(other.id)) {
      one.send(other.id, probe)
      other.send(one.id, probe)
      yield* Effect.yieldNow
    }
  })

/** Sends, and waits where the outbox is full. */
const send = (from: Node, to: NodeId, message: RaftMessage): Effect.Effect<void> =>
  Effect.suspend(() =>
    from.send(to, message) ? Effect.void : Effect.andThen(Effect.yieldNow, send(from, to, message))
  )

const violated = (detail: string) => Effect.fail(new ContractViolation({ detail }))

const expect = (holds: boolean, detail: string): Effect.Effect<void, ContractViolation> =>
  holds ? Effect.void : violated(detail)

const expectSame = (received: RaftMessage, sent: RaftMessage): Effect.Effect<void, ContractViolation> => {
  const [one, other] = [fingerprint(received), fingerprint(sent)]
  return expect(one === other, `sent ${other.slice(0, 500)}, received ${one.slice(0, 500)}`)
}

// --- messages -----------------------------------------------------------------------------------------

const numbered = (round: number): RaftMessage => ({
  _tag: "AppendAccepted",
  term: Term.make(1),
  matchIndex: LogIndex.LogIndex.make(1),
  round
})

/** An append whose payload is a pattern of its own. */
const append = (round: number, payloadBytes: number): AppendEntries => {
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

// --- promises -----------------------------------------------------------------------------------------

const promises: ReadonlyArray<Promised> = [
  {
    name: "a message of any kind arrives unchanged",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other } = yield* pair(site)
      const messages = yield* Effect.orDie(Arbitrary.sampleEffect(raftMessage, { count: 300, seed: 7 }))
      for (const message of messages.filter((message) => !isProbe(message))) {
        yield* send(one, b, message)
        yield* expectSame(yield* other.receive(a), message)
      }
    })
  },
  {
    name: "messages of a link arrive in order and none is missing",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other } = yield* pair(site)
      for (let round = 0; round < 3000; round++) {
        yield* send(one, b, numbered(round))
        yield* send(other, a, numbered(round))
      }
      for (let round = 0; round < 3000; round++) {
        yield* expectSame(yield* other.receive(a), numbered(round))
        yield* expectSame(yield* one.receive(b), numbered(round))
      }
    })
  },
  {
    name: "bytes that were handed over are never written again",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other } = yield* pair(site)
      const sizeOf = (round: number) => (round * 7919) % 5000
      const received: Array<RaftMessage> = []
      for (let round = 0; round < 400; round++) yield* send(one, b, append(round, sizeOf(round)))
      for (let round = 0; round < 400; round++) received.push(yield* other.receive(a))
      for (const [round, message] of received.entries())
        yield* expectSame(message, append(round, sizeOf(round)))
    })
  },
  {
    name: "a message of two megabytes arrives, and small ones after it",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other } = yield* pair(site)
      const large = append(1, 2 * 1024 * 1024)
      yield* send(one, b, large)
      yield* send(one, b, numbered(2))
      yield* expectSame(yield* other.receive(a), large)
      yield* expectSame(yield* other.receive(a), numbered(2))
    })
  },
  {
    name: "nothing is sent to a node that is no peer, nor to oneself",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one } = yield* pair(site)
      yield* expect(!one.send(c, numbered(1)), "a message to an unknown node was accepted")
      yield* expect(!one.send(a, numbered(1)), "a message to the sender itself was accepted")
      yield* expect(one.waiting() === 0, "a message to the sender itself arrived")
    })
  },
  {
    name: "a peer that was added is reached, one that was removed is not",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other, peers } = yield* pair(site)
      const sites = { ...peers, c: yield* site }
      const third = yield* open(sites.c, c, sites)
      yield* one.setPeers(addresses({ a: sites.a, c: sites.c }))
      yield* other.setPeers(new Map())
      yield* connect(one, third)
      yield* expect(!one.send(b, numbered(1)), "a message to a removed peer was accepted")
      yield* send(one, c, numbered(2))
      yield* expectSame(yield* third.receive(a), numbered(2))
      yield* expect(other.waiting() === 0, "a message to a removed peer arrived")
    })
  },
  {
    name: "a peer that does not list this node is reached, and can answer",
    promise: Effect.fnUntraced(function* (site) {
      const sites = { a: yield* site, b: yield* site }
      const one = yield* open(sites.a, a, sites, { attributes: { zone: "1" } })
      const other = yield* open(sites.b, b, {})
      yield* connect(one, other)
      yield* expect(other.attributesOf(a)["zone"] === "1", "the attributes of a were not told to b")
      yield* send(one, b, numbered(1))
      yield* expectSame(yield* other.receive(a), numbered(1))
      yield* send(other, a, numbered(2))
      yield* expectSame(yield* one.receive(b), numbered(2))
    })
  },
  {
    name: "a closed node neither sends nor hears, and its peers are told",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other } = yield* pair(site)
      yield* one.close
      yield* other.loses(a)
      yield* expect(!one.send(b, numbered(1)), "a closed node could send")
      other.send(a, numbered(2))
      yield* expect(one.waiting() === 0 && other.waiting() === 0, "a message went from or to a closed node")
    })
  },
  {
    name: "a peer that closed and opened again is reached again",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other, peers } = yield* pair(site)
      yield* other.close
      yield* one.loses(b)
      const again = yield* open(peers.b, b, peers)
      yield* Effect.repeat(
        Effect.suspend(() => Effect.as(Effect.yieldNow, one.send(b, probe))),
        { until: () => again.heardFrom(a) }
      )
      yield* send(one, b, numbered(1))
      yield* expectSame(yield* again.receive(a), numbered(1))
      yield* send(again, a, numbered(2))
      yield* expectSame(yield* one.receive(b), numbered(2))
    })
  },
  {
    name: "peers learn each other's attributes",
    promise: Effect.fnUntraced(function* (site) {
      const sites = { a: yield* site, b: yield* site }
      const one = yield* open(sites.a, a, sites, {
        attributes: { http: "http://127.0.0.1:8001/", zone: "é" }
      })
      const other = yield* open(sites.b, b, sites)
      yield* expect(Object.keys(one.attributesOf(c)).length === 0, "an unknown node has attributes")
      yield* connect(one, other)
      const { http, zone } = other.attributesOf(a)
      yield* expect(
        http === "http://127.0.0.1:8001/" && zone === "é",
        "the attributes of a were not told to b"
      )
      yield* expect(Object.keys(one.attributesOf(b)).length === 0, "b has attributes that it did not give")
    })
  },
  {
    name: "nodes of another cluster or group are not reached",
    promise: Effect.fnUntraced(function* (site) {
      const elsewhere: ReadonlyArray<Partial<EndpointOptions>> = [
        { clusterId: ClusterId.make("other") },
        { groupId: GroupId.make("other") }
      ]
      for (const options of elsewhere) {
        const sites = { a: yield* site, b: yield* site, c: yield* site }
        const one = yield* open(sites.a, a, sites)
        const foreign = yield* open(sites.b, b, sites, options)
        const third = yield* open(sites.c, c, sites)
        one.send(b, numbered(1))
        foreign.send(a, numbered(1))
        yield* connect(one, third)
        yield* expect(
          !foreign.heardFrom(a) && !one.heardFrom(b),
          "a message crossed into another cluster or group"
        )
        yield* Effect.forEach([one, foreign, third], (node) => node.close, { discard: true })
      }
    })
  },
  {
    name: "sending without end to a peer that is away neither waits nor stops the others",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other, peers } = yield* pair(site)
      yield* one.setPeers(addresses({ ...peers, c: yield* site }))
      const message = append(0, 1000)
      for (let sent = 0; sent < 20_000; sent++) one.send(c, message)
      yield* send(one, b, numbered(1))
      yield* expectSame(yield* other.receive(a), numbered(1))
    })
  }
]
