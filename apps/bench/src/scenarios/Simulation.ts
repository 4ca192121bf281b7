/**
 * The simulation: how much virtual time passes in a second of real time, on one core. Five nodes with 50 ms
 * heartbeats and 100 client operations a virtual second, all checks on; and, for comparison, the same
 * cluster without clients' work to speak of.
 */
import * as Simulation from "@effect-raft/core/testing/Simulation"
import * as Plan from "@effect-raft/core/testing/simulation/Plan"
import type { Workload } from "@effect-raft/core/testing/Workload"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import type { KvCommand } from "@effect-raft/kv/KvCommand"
import type { KvView } from "@effect-raft/kv/KvMachine"
import * as Effect from "effect/Effect"
import { BenchFailed, inTurns } from "../Scenario.ts"
import type { Bench, Scenario, Variant } from "../Scenario.ts"

export const simulation: Scenario = {
  name: "simulation",
  summary: "virtual time for real time, with all checks on, on one core",
  layout: {
    columns: [
      { figure: "virtualToReal", title: "virtual : real", decimals: 0 },
      { figure: "eventsPerSecond", title: "events/s", decimals: 0 },
      { figure: "cpuMicrosPerVirtualSecond", title: "CPU µs/virtual s", decimals: 0 }
    ]
  },
  run: (bench) => inTurns(bench, [variant(bench, 100), variant(bench, 1)])
}

const variant = (bench: Bench, operationsPerSecond: number): Variant<BenchFailed, never> => ({
  subject: "five nodes, 50 ms heartbeats",
  case: { operationsPerSecond },
  measure: measure(bench, operationsPerSecond)
})

const encoder = new TextEncoder()

const workload: Workload<KvCommand, KvView> = {
  next: ({ client, count, dice }) => {
    const key = `k${dice.within([0, 9])}`
    return dice.happens(0.4)
      ? { _tag: "Read", query: (view) => view.get(key)?.revision }
      : { _tag: "Propose", command: { _tag: "Put", key, value: encoder.encode(`${client}.${count}`) } }
  }
}

/** Virtual time of one run. */
const runMillis = 60_000

const measure = (bench: Bench, operationsPerSecond: number) =>
  Effect.gen(function* () {
    let seed = 1
    const runOnce = () =>
      Simulation.run(
        KvMachine,
        workload,
        Plan.draw(String(seed++), {
          faults: "none",
          size: 5,
          heartbeatIntervalMillis: 50,
          operationsPerSecond,
          durationMillis: runMillis
        })
      )
    // Code is compiled by and by: the first runs are several times slower than the rest.
    const warmUntilMillis = performance.now() + bench.seconds * 1000
    while (performance.now() < warmUntilMillis) runOnce()
    const cpu = process.cpuUsage()
    const startMillis = performance.now()
    let [virtualMillis, events] = [0, 0]
    while (performance.now() - startMillis < bench.seconds * 1000) {
      const report = runOnce()
      if (report.failure !== undefined) return yield* new BenchFailed({ message: report.failure.message })
      virtualMillis += report.virtualMillis
      events += report.events
    }
    const realMillis = performance.now() - startMillis
    const { system, user } = process.cpuUsage(cpu)
    return {
      virtualToReal: virtualMillis / realMillis,
      eventsPerSecond: (events * 1000) / realMillis,
      cpuMicrosPerVirtualSecond: ((system + user) * 1000) / virtualMillis
    }
  })
