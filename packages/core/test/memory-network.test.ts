/**
 * The network in memory, perfect and faulty: what it promises to the tests that run whole clusters on it.
 */
import { assert, describe, it } from "@effect/vitest"
import { LogIndex } from "@effect-raft/core/LogIndex"
import * as MemoryTransport from "@effect-raft/core/MemoryTransport"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import type { RaftMessage } from "@effect-raft/core/RaftMessage"
import type { RaftTransport } from "@effect-raft/core/RaftTransport"
import { Term } from "@effect-raft/core/Term"
import * as LinkFaults from "@effect-raft/core/testing/LinkFaults"
import * as MemoryNetwork from "@effect-raft/core/testing/MemoryNetwork"
import * as RaftTransportContract from "@effect-raft/core/testing/RaftTransportContract"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

const n1 = NodeId.make("n1")
const n2 = NodeId.make("n2")
const n3 = NodeId.make("n3")
const everybody = [n1, n2, n3]

const request = (term: number): RaftMessage => ({
  _tag: "RequestVote",
  term: Term.make(term),
  lastLogIndex: LogIndex.make(0),
  lastLogTerm: Term.make(0),
  leadershipTransfer: false
})
const reply = (term: number): RaftMessage => ({
  _tag: "RequestVoteReply",
  term: Term.make(term),
  granted: true
})

/** Opens a node; `seen` is what arrived at it, as `sender:term`, and `lost` the peers it lost. */
const open = Effect.fnUntraced(function* (transport: RaftTransport["Service"], nodeId: NodeId) {
  const seen: Array<string> = []
  const lost: Array<NodeId> = []
  const endpoint = yield* transport.open({
    clusterId: ClusterId.make("test"),
    groupId: defaultGroup,
    nodeId,
    peers: new Map(everybody.map((peer) => [peer, ""])),
    handler: {
      onMessage: (from, message) => seen.push(`${from}:${message.term}`),
      onPeerLost: (peer) => lost.push(peer)
    }
  })
  return { ...endpoint, seen, lost }
})

const openAll = (transport: RaftTransport["Service"]) =>
  Effect.all([open(transport, n1), open(transport, n2), open(transport, n3)])

describe("MemoryTransport", () => {
  const network = Effect.map(MemoryTransport.make, (transport) => Effect.succeed({ transport, address: "" }))
  for (const { name, run } of RaftTransportContract.cases(network)) it.effect(name, () => run)

  it.effect("hands a message over at once, and says when it cannot", () =>
    Effect.gen(function* () {
      const transport = yield* MemoryTransport.make
      const a = yield* open(transport, n1)
      assert.isFalse(a.send(n2, request(1)))
      const b = yield* open(transport, n2)
      assert.isTrue(a.send(n2, request(2)))
      assert.isFalse(a.send(n1, request(3)), "to itself")
      assert.isFalse(a.send(NodeId.make("stranger"), request(3)))
      assert.deepStrictEqual(b.seen, ["n1:2"])
    })
  )

  it.effect("refuses a second node of the same name", () =>
    Effect.gen(function* () {
      const transport = yield* MemoryTransport.make
      yield* open(transport, n1)
      const error = yield* Effect.flip(open(transport, n1))
      assert.match(error.message, /n1.*open already/)
    })
  )
})

describe("MemoryNetwork", () => {
  const network = Effect.map(MemoryNetwork.make({ seed: "contract" }), ({ transport }) =>
    Effect.succeed({ transport, address: "" })
  )
  for (const { name, run } of RaftTransportContract.cases(network)) it.effect(name, () => run)

  it.effect("is in order and without delay when nothing else is asked for", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ seed: "plain" })
      const [a, b] = yield* openAll(network.transport)
      for (let term = 0; term < 5; term++) a.send(n2, request(term))
      assert.deepStrictEqual(b.seen, ["n1:0", "n1:1", "n1:2", "n1:3", "n1:4"])
      assert.strictEqual(network.traffic().messages, 5)
      assert.deepStrictEqual(network.traffic({ from: n2 }), { messages: 0, bytes: 0 })
    })
  )

  it.effect("delivers within the delay, and in order only if asked to", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        seed: "delay",
        settings: { ...LinkFaults.reliable, requestDelayMillis: [5, 20] }
      })
      const [a, b, c] = yield* openAll(network.transport)
      network.configureLink({ from: n1, to: n3 }, { inOrder: true })
      for (let term = 0; term < 50; term++) {
        a.send(n2, request(term))
        a.send(n3, request(term))
      }
      yield* TestClock.adjust(4)
      assert.strictEqual(b.seen.length, 0)
      yield* TestClock.adjust(16)
      assert.strictEqual(b.seen.length, 50)
      assert.strictEqual(network.inFlight(), 0)
      const sent = Array.from({ length: 50 }, (_, term) => `n1:${term}`)
      assert.notDeepEqual(b.seen, sent)
      assert.deepStrictEqual(c.seen, sent)
    })
  )

  it.effect("carries so many bytes a second, one message after the other", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ seed: "slow" })
      const [a, b, c] = yield* openAll(network.transport)
      a.send(n3, request(0))
      const { bytes } = network.traffic()
      network.configureLink({ from: n1, to: n2 }, { bytesPerSecond: bytes * 100, inOrder: true })
      for (let term = 1; term <= 3; term++) a.send(n2, request(term))
      for (const count of [0, 1, 2, 3]) {
        assert.strictEqual(b.seen.length, count)
        yield* TestClock.adjust(10)
      }
      // Others are as quick as ever, and who has waited for nobody waits for itself only.
      a.send(n3, request(4))
      assert.strictEqual(c.seen.length, 2)
      a.send(n2, request(5))
      yield* TestClock.adjust(9)
      assert.strictEqual(b.seen.length, 3)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(b.seen, ["n1:1", "n1:2", "n1:3", "n1:5"])
    })
  )

  it.effect("loses a tenth of requests and of replies when unreliable", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ seed: "loss", settings: LinkFaults.unreliable })
      const [a, b, c] = yield* openAll(network.transport)
      for (let term = 0; term < 2000; term++) {
        a.send(n2, request(term))
        a.send(n3, reply(term))
      }
      yield* TestClock.adjust(26)
      for (const seen of [b.seen, c.seen]) {
        assert.isAbove(seen.length, 1740)
        assert.isBelow(seen.length, 1860)
      }
    })
  )

  it.effect("holds two thirds of the replies for up to 2.2 s under long reordering", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        seed: "held",
        settings: { ...LinkFaults.longReordering, replyLoss: 0 }
      })
      const [a, b] = yield* openAll(network.transport)
      for (let term = 0; term < 900; term++) a.send(n2, reply(term))
      yield* TestClock.adjust(199)
      assert.isAbove(b.seen.length, 240)
      assert.isBelow(b.seen.length, 360)
      yield* TestClock.adjust(2001)
      assert.strictEqual(b.seen.length, 900)
    })
  )

  it.effect("doubles messages", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        seed: "twice",
        settings: { ...LinkFaults.reliable, duplication: 1 }
      })
      const [a, b] = yield* openAll(network.transport)
      a.send(n2, request(7))
      assert.deepStrictEqual(b.seen, ["n1:7", "n1:7"])
    })
  )

  it.effect("repeats a link's fate from the seed, whatever the other links do", () =>
    Effect.gen(function* () {
      const fateOf = Effect.fnUntraced(function* (seed: string, noise: number) {
        const lost: Array<number> = []
        const network = yield* MemoryNetwork.make({
          seed,
          settings: LinkFaults.unreliable,
          observe: (event) => {
            if (event._tag === "Lost" && event.to === n2) lost.push(event.number)
          }
        })
        const [a] = yield* openAll(network.transport)
        for (let term = 0; term < 200; term++) {
          for (let extra = 0; extra < noise; extra++) a.send(n3, request(term))
          a.send(n2, request(term))
        }
        return lost
      }, Effect.scoped)
      const quiet = yield* fateOf("one", 0)
      assert.isNotEmpty(quiet)
      assert.deepStrictEqual(yield* fateOf("one", 3), quiet)
      assert.notDeepEqual(yield* fateOf("two", 0), quiet)
    })
  )

  it.effect("cuts one way, both ways, one node, and into groups; heals", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ seed: "cuts" })
      const nodes = yield* openAll(network.transport)
      let term = 0
      const reached = () => {
        term += 1
        for (const from of [0, 1, 2]) for (const to of everybody) nodes[from]?.send(to, request(term))
        return everybody.flatMap((to, at) =>
          (nodes[at]?.seen ?? [])
            .filter((one) => one.endsWith(`:${term}`))
            .map((one) => `${one.slice(0, 2)}>${to}`)
        )
      }
      const all = reached()
      assert.strictEqual(all.length, 6)

      network.cut({ from: n1, to: n2 })
      assert.deepStrictEqual(
        reached(),
        all.filter((link) => link !== "n1>n2")
      )
      network.mend({ from: n1, to: n2 })
      network.cutBoth(n1, n3)
      assert.deepStrictEqual(
        reached(),
        all.filter((link) => link !== "n1>n3" && link !== "n3>n1")
      )
      network.heal()
      network.isolate(n2)
      assert.deepStrictEqual(reached(), ["n3>n1", "n1>n3"])
      network.rejoin(n2)
      network.partition([[n1, n2]])
      assert.deepStrictEqual(reached(), ["n2>n1", "n1>n2"])
      network.heal()
      assert.deepStrictEqual(reached(), all)
    })
  )

  it.effect("loses what is under way when the link is cut meanwhile", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({
        seed: "cut",
        settings: { ...LinkFaults.reliable, requestDelayMillis: [10, 10] }
      })
      const [a, b] = yield* openAll(network.transport)
      a.send(n2, request(1))
      yield* TestClock.adjust(5)
      network.cut({ from: n1, to: n2 })
      yield* TestClock.adjust(5)
      assert.deepStrictEqual(b.seen, [])
    })
  )

  it.effect("keeps the messages of a paused node, both ways, until it resumes", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ seed: "pause" })
      const [a, b] = yield* openAll(network.transport)
      network.pause(n2)
      a.send(n2, request(1))
      b.send(n1, request(2))
      a.send(n2, request(3))
      assert.deepStrictEqual([a.seen, b.seen], [[], []])
      assert.strictEqual(network.inFlight(), 3)
      network.resume(n2)
      assert.deepStrictEqual([a.seen, b.seen], [["n2:2"], ["n1:1", "n1:3"]])
    })
  )

  it.effect("loses what a silenced node sends, until it opens anew", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork.make({ seed: "silence" })
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(open(network.transport, n1), scope)
      const b = yield* open(network.transport, n2)
      a.send(n2, request(1))
      network.silence(n1)
      a.send(n2, request(2))
      yield* Scope.close(scope, Exit.void)
      const again = yield* open(network.transport, n1)
      again.send(n2, request(3))
      assert.deepStrictEqual(b.seen, ["n1:1", "n1:3"])
    })
  )

  it.effect("tells of a closed node only those it can still reach, and nobody when told not to", () =>
    Effect.gen(function* () {
      for (const notifyLost of [true, false]) {
        const network = yield* MemoryNetwork.make({ seed: "closed", notifyLost })
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(open(network.transport, n1), scope)
        const b = yield* open(network.transport, n2)
        const c = yield* open(network.transport, n3)
        network.cutBoth(n1, n3)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(b.lost, notifyLost ? [n1] : [])
        assert.deepStrictEqual(c.lost, [])
        assert.isFalse(a.send(n2, request(1)), "a closed end sends nothing")
        b.send(n1, request(1))
        assert.deepStrictEqual([a.seen, b.seen], [[], []])
      }
    })
  )
})
