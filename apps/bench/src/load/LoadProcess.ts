/**
 * The load generator: reads a `LoadSpec` from its argument, writes the keys that reads will look for, runs
 * the clients, and says what came out.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as NodePerfHooks from "node:perf_hooks"
import * as ClosedLoop from "../ClosedLoop.ts"
import * as Drivers from "./Drivers.ts"
import { NewsLine, SpecLine } from "./LoadSpec.ts"
import type { LoadNews, LoadSpec } from "./LoadSpec.ts"

const encodeNews = Schema.encodeSync(NewsLine)

const say = (news: LoadNews): void => {
  process.stdout.write(`${encodeNews(news)}\n`)
}

let gcMillis = 0
new NodePerfHooks.PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) gcMillis += duration
}).observe({ entryTypes: ["gc"] })

const keyOf = (number: number): string => `key-${String(number).padStart(8, "0")}`

const load = Effect.fnUntraced(function* (spec: LoadSpec) {
  const driver = yield* Drivers.make(spec)
  const value = new Uint8Array(spec.valueBytes).map((_, at) => (at * 131) % 251)
  if (spec.operation !== "put") yield* writeKeys(driver, spec, value)
  if (spec.operation === "fill") return { operations: spec.keys }
  let startedAt = usage()
  const result = yield* ClosedLoop.run({
    ...spec,
    operation: operationOf(driver, spec, value),
    onBegin: () => {
      startedAt = usage()
      say({ _tag: "Begun" })
    }
  })
  const endedAt = usage()
  const operations = Math.max(1, result.operations)
  return {
    ...ClosedLoop.figuresOf(result),
    clientCpuMicrosPerOp: (endedAt.cpuMicros - startedAt.cpuMicros) / operations,
    clientGcShare: (endedAt.gcMillis - startedAt.gcMillis) / (endedAt.busyMillis - startedAt.busyMillis),
    operations: result.operations
  }
})

const usage = () => {
  const { system, user } = process.cpuUsage()
  return { cpuMicros: system + user, gcMillis, busyMillis: performance.eventLoopUtilization().active }
}

const writers = 64

const writeKeys = (driver: Drivers.Driver, { keys }: LoadSpec, value: Uint8Array) =>
  Effect.forEach(
    Array.from({ length: keys }, (_, at) => at),
    (at) => driver.put(keyOf(at), value),
    {
      concurrency: writers,
      discard: true
    }
  )

const operationOf = (driver: Drivers.Driver, { keys, operation }: LoadSpec, value: Uint8Array) => {
  let count = 0
  // Spread over the keys, the same way for every system; made before, for it is the clients that are measured.
  const sequence = Array.from({ length: keys }, (_, at) => keyOf((at * 7919) % keys))
  const nextKey = () => sequence[count++ % keys]!
  const put = () => driver.put(nextKey(), value)
  const get = (consistency: "linearizable" | "stale") => driver.get(nextKey(), consistency)
  switch (operation) {
    case "put":
    case "fill":
      return put
    case "linearizable get":
      return () => get("linearizable")
    case "stale get":
      return () => get("stale")
    case "mix 90:10":
      return (): Effect.Effect<unknown, { readonly message: string }> =>
        count % 10 === 0 ? put() : get("linearizable")
  }
}

const program = Schema.decodeEffect(SpecLine)(process.argv[2] ?? "").pipe(
  Effect.flatMap(load),
  Effect.scoped,
  Effect.match({
    onSuccess: ({ operations, ...figures }) => say({ _tag: "Done", figures, operations }),
    onFailure: (error) => say({ _tag: "Failed", message: error.message })
  }),
  Effect.catchDefect((defect) => Effect.sync(() => say({ _tag: "Failed", message: String(defect) })))
)

// The answer is out when its line is: connections that close slowly are not worth waiting for.
await Effect.runPromise(program)
process.exit()
