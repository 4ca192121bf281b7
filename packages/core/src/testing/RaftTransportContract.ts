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
import type * as Scope from "effect/Scope"
import { ClusterId, GroupId } from "../NodeId.ts"
import type { RaftMessage } from "../RaftMessage.ts"
import type { EndpointOptions, TransportError } from "../RaftTransport.ts"
import { raftMessage } from "./RaftMessageArbitrary.ts"
import {
  a,
  addresses,
  append,
  b,
  c,
  connect,
  expect,
  expectSame,
  isProbe,
  numbered,
  open,
  pair,
  probe,
  send
} from "./TransportContractNode.ts"
import type { ContractViolation, Sites } from "./TransportContractNode.ts"

export { ContractViolation, type Site } from "./TransportContractNode.ts"

/** One promise. `run` fails, or dies, or never ends, where it is broken. */
export interface ContractCase {
  readonly name: string
  readonly run: Effect.Effect<void, ContractViolation | TransportError>
}

/** Makes a new network. What comes out makes the sites of that network, each for another node. */
export type Network = Effect.Effect<Sites, TransportError, Scope.Scope>

/** Every case, over networks made by `network`. */
export const cases = (network: Network): ReadonlyArray<ContractCase> =>
  promises.map(({ name, promise }) => ({
    name,
    run: network.pipe(Effect.flatMap(promise), Effect.scoped)
  }))

interface Promised {
  readonly name: string
  readonly promise: (site: Sites) => Effect.Effect<void, ContractViolation | TransportError, Scope.Scope>
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
    name: "peers are told that they are connected, also when one of them has closed and opened again",
    promise: Effect.fnUntraced(function* (site) {
      const { a: one, b: other, peers } = yield* pair(site)
      yield* Effect.all([one.finds(b), other.finds(a)])
      yield* other.close
      const again = yield* open(peers.b, b, peers)
      yield* Effect.all([one.finds(b), again.finds(a)])
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
