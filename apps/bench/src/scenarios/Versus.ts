/**
 * Three of our servers and three etcd servers on this machine and this disk, in turns, under the same
 * load from a client of the same language: puts, reads of every freshness, and a mix.
 */
import * as Effect from "effect/Effect"
import * as NodePath from "node:path"
import type { Cluster } from "../cluster/Cluster.ts"
import { startAll } from "../cluster/Cluster.ts"
import * as EtcdCluster from "../cluster/EtcdCluster.ts"
import * as RaftCluster from "../cluster/RaftCluster.ts"
import * as LoadRun from "../load/LoadRun.ts"
import type { LoadSpec, Operation } from "../load/LoadSpec.ts"
import { BenchFailed, inTurns } from "../Scenario.ts"
import type { Bench, Scenario, Variant } from "../Scenario.ts"
import type { Layout } from "../Summary.ts"

/** The columns of everything that is measured by load on servers. */
export const layout: Layout = {
  baseline: "etcd",
  columns: [
    { figure: "perSecond", title: "ops/s", decimals: 0, ratio: true },
    { figure: "p50Millis", title: "p50 ms", decimals: 2, ratio: true },
    { figure: "p99Millis", title: "p99 ms", decimals: 2, ratio: true },
    { figure: "p999Millis", title: "p99.9 ms", decimals: 2 },
    { figure: "serverCpuMicrosPerOp", title: "server CPU µs/op", decimals: 1, ratio: true },
    { figure: "clientCpuMicrosPerOp", title: "client CPU µs/op", decimals: 1 },
    { figure: "serverResidentMb", title: "servers MB", decimals: 0, ratio: true },
    { figure: "serverProportionalMb", title: "shared once MB", decimals: 0, ratio: true },
    { figure: "wireBytesPerOp", title: "wire B/op", decimals: 0, ratio: true },
    { figure: "diskBytesPerOp", title: "disk B/op", decimals: 0, ratio: true },
    { figure: "flushesPerOp", title: "flushes/op", decimals: 3 },
    { figure: "serverGcShare", title: "GC share", decimals: 3 },
    { figure: "serverMajorGcsPerSecond", title: "major GCs/s", decimals: 2 },
    { figure: "serverLongestBlockMillis", title: "longest block ms", decimals: 0 },
    { figure: "failed", title: "failed", decimals: 0 }
  ]
}

/** What is asked for: an operation, of the leader or of a follower. */
interface Question {
  readonly name: string
  readonly operation: Operation
  readonly at: "leader" | "follower"
}

const questions: ReadonlyArray<Question> = [
  { name: "put", operation: "put", at: "leader" },
  { name: "linearizable get", operation: "linearizable get", at: "leader" },
  { name: "linearizable get at a follower", operation: "linearizable get", at: "follower" },
  { name: "stale get", operation: "stale get", at: "follower" },
  { name: "mix 90:10", operation: "mix 90:10", at: "leader" }
]

const clientCounts = [1, 16, 64, 256, 1024]
const usualBytes = 256
const otherBytes = [16, 4096]
const keys = 1000
const warmUpSeconds = 1

export const versus: Scenario = {
  name: "versus",
  summary: "three servers beside three etcd servers: puts and reads from 1 to 1,024 clients",
  layout,
  run: Effect.fnUntraced(function* (bench) {
    const clusters = yield* startClusters(bench)
    yield* inTurns(
      bench,
      casesOf(bench).flatMap((one) => clusters.map((cluster) => variantOf(bench, one, cluster)))
    )
  })
}

/** Every system that can be measured here, running. */
const startClusters = Effect.fnUntraced(function* (bench: Bench) {
  if (!(yield* EtcdCluster.isInstalled)) {
    return yield* new BenchFailed({
      message: "There is no etcd on the PATH to be measured against; Debian's package is etcd-server"
    })
  }
  const etcd = yield* EtcdCluster.make({ directory: NodePath.join(bench.directory, "etcd"), size: 3 })
  const ours = yield* RaftCluster.make({ directory: NodePath.join(bench.directory, "ours"), size: 3 })
  yield* Effect.forEach([etcd, ours.native], startAll, { discard: true })
  const clusters = [etcd, ours.native, ours.http] as const
  yield* Effect.forEach(clusters, (cluster) => settle(bench, cluster), { discard: true })
  return clusters
})

/** Servers run for long. What they cost in their first seconds, while code is compiled, is not of interest. */
const settle = (bench: Bench, cluster: Cluster) =>
  Effect.flatMap(cluster.leader, (leader) =>
    LoadRun.generate({
      protocol: cluster.protocol,
      endpoints: [cluster.addressOf(leader)],
      queryAt: "leader",
      operation: "mix 90:10",
      clients: 64,
      valueBytes: usualBytes,
      keys,
      seconds: bench.isQuick ? 1 : 6,
      warmUpSeconds
    })
  )

interface VersusCase extends Question {
  readonly clients: number
  readonly valueBytes: number
}

const casesOf = (bench: Bench): ReadonlyArray<VersusCase> => {
  const usual = questions.flatMap((question) =>
    clientCounts.map((clients) => ({ ...question, clients, valueBytes: usualBytes }))
  )
  const others = otherBytes.map((valueBytes) => ({ ...questions[0]!, clients: 256, valueBytes }))
  const all = [...usual, ...others]
  return (bench.isQuick ? all.filter(({ clients }) => clients === 64) : all).filter((one) =>
    nameOf(one).includes(bench.only)
  )
}

const nameOf = ({ clients, name, valueBytes }: VersusCase): string =>
  `${name}, clients ${clients}, ${valueBytes} bytes`

const variantOf = (bench: Bench, one: VersusCase, cluster: Cluster): Variant<BenchFailed, never> => ({
  subject: cluster.subject,
  case: {
    operation: one.name,
    clients: one.clients,
    valueBytes: one.valueBytes,
    ...(bench.generators === 1 ? {} : { generators: bench.generators })
  },
  measure: Effect.gen(function* () {
    const leader = yield* cluster.leader
    const target = one.at === "leader" ? leader : cluster.members.find((member) => member !== leader)!
    const spec: LoadSpec = {
      protocol: cluster.protocol,
      endpoints: [cluster.addressOf(target)],
      queryAt: one.at === "leader" ? "leader" : "any",
      operation: one.operation,
      clients: one.clients,
      valueBytes: one.valueBytes,
      keys,
      seconds: bench.seconds,
      warmUpSeconds
    }
    return yield* LoadRun.measure(cluster, spec, bench)
  })
})
