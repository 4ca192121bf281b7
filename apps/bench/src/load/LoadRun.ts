/**
 * Runs the load generator against a cluster, and reads what the servers use while it counts.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as NodeChildProcess from "node:child_process"
import * as NodeReadline from "node:readline"
import * as NodeUrl from "node:url"
import type { Cluster } from "../cluster/Cluster.ts"
import * as ProcessUsage from "../cluster/ProcessUsage.ts"
import { BenchFailed } from "../Scenario.ts"
import { NewsLine, SpecLine } from "./LoadSpec.ts"
import type { LoadNews, LoadSpec } from "./LoadSpec.ts"

const module = NodeUrl.fileURLToPath(new URL("LoadProcess.ts", import.meta.url))
const decodeNews = Schema.decodeResult(NewsLine)

/** Runs the load to its end; `onBegun` is called when its warm-up is over. */
export const generate = (
  spec: LoadSpec,
  options: { readonly onBegun?: () => void; readonly nodeFlags?: ReadonlyArray<string> } = {}
): Effect.Effect<LoadNews & { readonly _tag: "Done" }, BenchFailed> =>
  Effect.callback((resume) => {
    const child = NodeChildProcess.spawn(
      process.execPath,
      [...(options.nodeFlags ?? []), module, Schema.encodeSync(SpecLine)(spec)],
      { stdio: ["ignore", "pipe", "inherit"] }
    )
    const fail = (message: string) =>
      resume(Effect.fail(new BenchFailed({ message: `The load generator failed: ${message}` })))
    NodeReadline.createInterface({ input: child.stdout }).on("line", (line) => {
      const news = decodeNews(line)
      if (Result.isFailure(news)) return fail(`it said ${line}`)
      switch (news.success._tag) {
        case "Begun":
          return options.onBegun?.()
        case "Done":
          return resume(Effect.succeed(news.success))
        case "Failed":
          return fail(news.success.message)
      }
    })
    child.on("error", (error) => fail(error.message))
    child.on("close", (code) => fail(`it ended with ${code}`))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/**
 * Runs the load from several processes at once, the clients divided among them. Times are those of the slowest: a
 * percentile of all together is no worse.
 */
const generateTogether = (
  spec: LoadSpec,
  generators: number,
  onBegun: () => void
): Effect.Effect<LoadNews & { readonly _tag: "Done" }, BenchFailed> => {
  const shares = Array.from({ length: generators }, (_, at) => Math.floor((spec.clients + at) / generators))
  const specs = shares.filter((clients) => clients > 0).map((clients) => ({ ...spec, clients }))
  let begun = 0
  const onOneBegun = () => {
    begun += 1
    if (begun === specs.length) onBegun()
  }
  return Effect.map(
    Effect.forEach(specs, (one) => generate(one, { onBegun: onOneBegun }), { concurrency: "unbounded" }),
    together
  )
}

/** What is counted is added up; of a cost for each operation it is the mean, of anything else the worst. */
const together = (
  runs: ReadonlyArray<LoadNews & { readonly _tag: "Done" }>
): LoadNews & { readonly _tag: "Done" } => {
  const operations = runs.reduce((sum, run) => sum + run.operations, 0)
  const figure = (name: string): number => {
    const values = runs.map((run) => run.figures[name] ?? 0)
    const sum = values.reduce((total, value) => total + value, 0)
    if (name === "perSecond" || name === "failed") return sum
    if (!name.endsWith("PerOp")) return Math.max(...values)
    return runs.reduce((total, run, at) => total + values[at]! * run.operations, 0) / Math.max(1, operations)
  }
  const names = Object.keys(runs[0]?.figures ?? {})
  return { _tag: "Done", operations, figures: Object.fromEntries(names.map((name) => [name, figure(name)])) }
}

/** Runs the load, and adds to its figures what an operation costs the servers. */
export const measure = (
  cluster: Cluster,
  spec: LoadSpec,
  { generators = 1 }: { readonly generators?: number } = {}
): Effect.Effect<Readonly<Record<string, number>>, BenchFailed> =>
  Effect.gen(function* () {
    const pids = cluster.members.map(({ pid }) => pid())
    const read = () => ({
      servers: ProcessUsage.ofAll(pids),
      disks: ProcessUsage.disks(),
      wireBytes: ProcessUsage.wireBytes()
    })
    let before = read()
    const probesBefore = yield* probeAll(cluster)
    const begin = () => {
      before = read()
    }
    const { figures, operations } = yield* generateTogether(spec, generators, begin)
    const after = read()
    const probesAfter = yield* probeAll(cluster)
    const perOp = (whole: number) => whole / Math.max(1, operations)
    return {
      ...figures,
      serverCpuMicrosPerOp: perOp(after.servers.cpuMicros - before.servers.cpuMicros),
      serverResidentMb: after.servers.residentBytes / 1_000_000,
      serverProportionalMb: after.servers.proportionalBytes / 1_000_000,
      wireBytesPerOp: perOp(after.wireBytes - before.wireBytes),
      diskBytesPerOp: perOp(after.disks.writtenBytes - before.disks.writtenBytes),
      flushesPerOp: perOp(after.disks.flushes - before.disks.flushes),
      ...probeFigures(probesBefore, probesAfter, spec.seconds + spec.warmUpSeconds)
    }
  })

type Probe = Readonly<Record<string, number>>

const probeAll = (cluster: Cluster): Effect.Effect<ReadonlyArray<Probe>> =>
  Effect.forEach(cluster.members, ({ probe }) => probe)

/** The worst of the members in each. */
const probeFigures = (
  before: ReadonlyArray<Probe>,
  after: ReadonlyArray<Probe>,
  seconds: number
): Record<string, number> => {
  const pairs = after.flatMap((now, at) =>
    now["gcMillis"] === undefined ? [] : [{ now, was: before[at] ?? {} }]
  )
  if (pairs.length === 0) return {}
  const worst = (value: (grown: (figure: string) => number, now: Probe) => number) =>
    Math.max(...pairs.map(({ now, was }) => value((figure) => (now[figure] ?? 0) - (was[figure] ?? 0), now)))
  return {
    serverGcShare: worst((grown) => grown("gcMillis") / Math.max(1, grown("busyMillis"))),
    serverMajorGcsPerSecond: worst((grown) => grown("majorGcs") / seconds),
    serverLongestGcMillis: worst((_, now) => now["longestGcMillis"] ?? 0),
    serverLongestBlockMillis: worst((_, now) => now["longestBlockMillis"] ?? 0)
  }
}
