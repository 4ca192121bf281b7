/**
 * The core alone: three nodes in one process, on the network and the storage in memory, so that nothing is
 * measured but the rules, the actor and what stands around it. One operation is one entry and one answer.
 *
 * The machine is a counter, once with a codec written by hand and once with that of its Schema.
 */
import * as MemoryStorage from "@effect-raft/core/MemoryStorage"
import * as MemoryTransport from "@effect-raft/core/MemoryTransport"
import * as Raft from "@effect-raft/core/Raft"
import * as StateMachine from "@effect-raft/core/StateMachine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as NodePerfHooks from "node:perf_hooks"
import { BenchFailed, inTurns } from "../Scenario.ts"
import type { Bench, Scenario, Variant } from "../Scenario.ts"

export const core: Scenario = {
  name: "core",
  summary: "three nodes in one process, without a network or a disk",
  layout: {
    columns: [
      { figure: "perSecond", title: "commits/s", decimals: 0 },
      { figure: "cpuMicrosPerOp", title: "CPU µs/commit", decimals: 2 },
      { figure: "longestHoldMillis", title: "loop held at most, ms", decimals: 1 }
    ]
  },
  run: (bench) =>
    inTurns(
      bench,
      [1, 64, 256, 4096].flatMap((inFlight) => variantsOf(bench, inFlight))
    )
}

const variantsOf = (bench: Bench, inFlight: number): ReadonlyArray<Variant<BenchFailed, never>> =>
  [
    { subject: "codec by hand", case: { inFlight }, measure: commits(bench, inFlight, ByHand) },
    { subject: "codec of the Schema", case: { inFlight }, measure: commits(bench, inFlight, BySchema) }
  ].filter(({ subject }) => `${subject}, inFlight ${inFlight}`.includes(bench.only))

// --- the machine ---------------------------------------------------------------------------------------

const schemas = { command: Schema.Int, reply: Schema.Int }

/** A 32-bit number, little-endian. */
const codec: StateMachine.BinaryCodec<number> = {
  encode: (value) => Uint8Array.of(value, value >> 8, value >> 16, value >> 24),
  decode: (bytes) => bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)
}

const makeCounter = (): StateMachine.Instance<number, number, number> => {
  let total = 0
  return {
    apply: (by) => (total = (total + by) | 0),
    view: () => total,
    snapshot: () => [codec.encode(total)],
    restore: () =>
      StateMachine.restoration((snapshot) => {
        total = codec.decode(snapshot)
      })
  }
}

class ByHand extends StateMachine.ServiceOf<ByHand>()("bench/ByHand", {
  ...schemas,
  commandCodec: codec,
  replyCodec: codec,
  make: makeCounter
}) {}

class BySchema extends StateMachine.ServiceOf<BySchema>()("bench/BySchema", {
  ...schemas,
  make: makeCounter
}) {}

// --- the cluster ---------------------------------------------------------------------------------------

type Counter<Self> = StateMachine.StateMachineClass<Self, number, number, number>
type Handle = Raft.Raft<number, number, number>

const members = { n1: "memory:n1", n2: "memory:n2", n3: "memory:n3" }

/** Starts three nodes, and gives the one that leads. */
const startCluster = <Self>(machine: Counter<Self>) =>
  Effect.gen(function* () {
    const ground = yield* Layer.build(Layer.merge(MemoryTransport.layer, MemoryStorage.layer))
    const nodes: Array<Handle> = []
    for (const nodeId of Object.keys(members)) {
      const node = Raft.layer(machine, { nodeId, members, config: { maxQueuedRequests: 32_768 } })
      const context = yield* Layer.build(Layer.fresh(Layer.provide(node, Layer.succeedContext(ground))))
      nodes.push(Context.get(context, machine.Raft))
    }
    // Any of them passes the first command on to whoever leads by then.
    yield* nodes[0]!.propose(0)
    for (const node of nodes) if ((yield* node.status).role === "Leader") return node
    return yield* new BenchFailed({ message: "the leader changed while the measurement began" })
  })

const warmUpSeconds = 1

/** Keeps `inFlight` proposals under way at the leader. */
const commits = <Self>(bench: Bench, inFlight: number, machine: Counter<Self>) =>
  Effect.gen(function* () {
    const leader = yield* startCluster(machine)
    let committed = 0
    let isOver = false
    const caller: Effect.Effect<void, unknown> = Effect.suspend(() =>
      isOver ? Effect.void : Effect.flatMap(leader.propose(1), countOne)
    )
    const countOne = () => {
      committed += 1
      return caller
    }
    const callers = yield* Effect.forkScoped(
      Effect.forEach(Array.from({ length: inFlight }), () => caller, {
        concurrency: "unbounded",
        discard: true
      })
    )
    yield* Effect.sleep(warmUpSeconds * 1000)
    const hold = NodePerfHooks.monitorEventLoopDelay({ resolution: 1 })
    hold.enable()
    const cpu = process.cpuUsage()
    const [startMillis, before] = [performance.now(), committed]
    yield* Effect.sleep(bench.seconds * 1000)
    const seconds = (performance.now() - startMillis) / 1000
    const operations = committed - before
    const { system, user } = process.cpuUsage(cpu)
    hold.disable()
    isOver = true
    yield* Effect.exit(Fiber.join(callers))
    return {
      perSecond: operations / seconds,
      cpuMicrosPerOp: (system + user) / operations,
      longestHoldMillis: hold.max / 1_000_000
    }
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => new BenchFailed({ message: error.message }))
  )
