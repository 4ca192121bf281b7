/**
 * Ten thousand callers that go away, on three nodes and a remote client that are joined by real sockets, and
 * on a node that waits in vain for its peers, where each call that looks for a leader has a timer: afterwards
 * there are no more sockets and timers in this process than before, and every slot is free.
 */
import { expect, it } from "@effect/vitest"
import * as ClientServer from "@effect-raft/core/ClientServer"
import * as MemoryStorage from "@effect-raft/core/MemoryStorage"
import * as Raft from "@effect-raft/core/Raft"
import { Kv } from "@effect-raft/kv/Kv"
import * as KvClient from "@effect-raft/kv/KvClient"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as TcpClientServer from "@effect-raft/transport-tcp/TcpClientServer"
import * as TcpClientTransport from "@effect-raft/transport-tcp/TcpClientTransport"
import * as TcpTransport from "@effect-raft/transport-tcp/TcpTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Ports from "../src/Ports.ts"

const ids = ["n1", "n2", "n3"] as const
const rounds = 100
const callsOfRound = 100

/** How many sockets and timers keep this process alive. */
const held = () => {
  const kinds = process.getActiveResourcesInfo()
  const count = (kind: string) => kinds.filter((other) => other === kind).length
  return { sockets: count("TCPSocketWrap"), timers: count("Timeout") }
}

/** Three nodes that serve, a client of theirs, and a node whose peers never start. */
const startAll = Effect.gen(function* () {
  const base = yield* Ports.freeBase((first) => Array.from({ length: 9 }, (_, i) => first + i))
  const addresses = Array.from({ length: 9 }, (_, i) => `${Ports.loopback}:${base + i}`)
  const clients = addresses.slice(3, 6)
  const membersAt = (first: number) => Object.fromEntries(ids.map((id, i) => [id, addresses[first + i]!]))
  const members = membersAt(0)
  const nodes = yield* Effect.forEach(
    ids,
    (nodeId, i) =>
      Layer.build(
        TcpClientServer.layer({ listen: clients[i]! }).pipe(
          Layer.provide(ClientServer.layer(KvMachine)),
          Layer.provideMerge(
            Raft.layer(KvMachine, { nodeId, members, attributes: ClientServer.attributes(clients[i]!) })
          ),
          Layer.provide(MemoryStorage.layer),
          Layer.provide(TcpTransport.layer({ listen: addresses[i]! }))
        )
      ),
    { concurrency: "unbounded" }
  )
  const client = yield* Layer.build(
    KvClient.layerNative({ endpoints: clients }).pipe(Layer.provide(TcpClientTransport.layer()))
  )
  const lonely = yield* Layer.build(
    Raft.layer(KvMachine, { nodeId: ids[0], members: membersAt(6) }).pipe(
      Layer.provide(MemoryStorage.layer),
      Layer.provide(TcpTransport.layer({ listen: addresses[6]! }))
    )
  )
  return {
    rafts: nodes.map((node) => Context.get(node, KvMachine.Raft)),
    kv: Context.get(client, Kv),
    lonely: Context.get(lonely, KvMachine.Raft)
  }
})

it.live("ten thousand interrupted calls leave no socket and no timer", () =>
  Effect.gen(function* () {
    const { kv, lonely, rafts } = yield* startAll
    const value = Uint8Array.of(1)
    yield* kv.put("first", value)
    const callsOf = (raft: (typeof KvMachine.Raft)["Service"]) => [
      raft.propose({ _tag: "Put", key: "k", value }),
      raft.read((view) => view.get("k"))
    ]
    const served: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      kv.put("k", value),
      kv.get("k"),
      ...rafts.flatMap(callsOf)
    ]
    const calls = [...served, ...callsOf(lonely)]
    // Once each, so that every connection that is kept is there before the counting begins.
    for (const call of served) yield* call
    const before = held()
    expect(before.sockets).toBeGreaterThan(0)
    let most = before.timers
    // The client may be about to let go of the node that it asked first: that one is not kept.
    let fewest = before.sockets
    for (let round = 0; round < rounds; round++) {
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let at = 0; at < callsOfRound; at++) {
        fibers.push(
          yield* Effect.forkChild(Effect.exit(calls[at % calls.length]!), { startImmediately: true })
        )
      }
      const { sockets, timers } = held()
      most = Math.max(most, timers)
      fewest = Math.min(fewest, sockets)
      for (let turn = round % 9; turn > 0; turn--) yield* Effect.yieldNow
      yield* Fiber.interruptAll(fibers)
    }
    expect(most).toBeGreaterThan(before.timers)
    const left = Effect.gen(function* () {
      const waiting = yield* Effect.forEach([...rafts, lonely], (raft) => raft.waiting)
      const { sockets, timers } = held()
      const slots = waiting.reduce(
        (sum, { proposals, reads, forwarded }) => sum + proposals + reads + forwarded,
        0
      )
      return { slots, sockets: Math.max(0, sockets - fewest), timers: Math.max(0, timers - before.timers) }
    })
    // Commands whose callers have gone are still applied; a timer that beats may be between two beats.
    yield* Effect.repeat(left, {
      until: ({ slots, sockets, timers }) => slots === 0 && sockets === 0 && timers === 0,
      schedule: Schedule.spaced(20),
      times: 250
    })
    expect(yield* left).toEqual({ slots: 0, sockets: 0, timers: 0 })
  }).pipe(Effect.scoped)
)
