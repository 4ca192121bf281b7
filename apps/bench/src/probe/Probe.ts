/**
 * Loaded into a Node process that is measured (`node --import`): counts garbage collections and how busy
 * and how long blocked the event loop was, and tells it when its parent asks.
 */
import * as NodePerfHooks from "node:perf_hooks"

const delays = NodePerfHooks.monitorEventLoopDelay({ resolution: 5 })
delays.enable()

let gcMillis = 0
let majorGcs = 0
let longestGcMillis = 0

/** The types do not know that entries of garbage collections have details. */
const isMajor = (entry: NodePerfHooks.PerformanceEntry & { readonly detail?: { readonly kind?: number } }) =>
  entry.detail?.kind === NodePerfHooks.constants.NODE_PERFORMANCE_GC_MAJOR

new NodePerfHooks.PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    gcMillis += entry.duration
    longestGcMillis = Math.max(longestGcMillis, entry.duration)
    if (isMajor(entry)) majorGcs += 1
  }
}).observe({ entryTypes: ["gc"] })

/** Figures since the process began, but for the two that say "longest", which are since the last question. */
const figures = () => ({
  gcMillis,
  majorGcs,
  longestGcMillis,
  busyMillis: performance.eventLoopUtilization().active,
  longestBlockMillis: delays.max / 1_000_000
})

process.on("message", () => {
  process.send?.(figures())
  delays.reset()
  longestGcMillis = 0
})
// Being asked questions is no reason to stay alive.
process.channel?.unref()
