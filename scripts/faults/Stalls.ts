/**
 * Loaded into a node (`node --import`) whose delays are to be explained: notes what took long, and when. That
 * is the event loop, held by code, by a lack of processors or by the kernel; garbage collections; and every
 * call of `node:fs`, from the call to its callback, which for those that run in the thread pool is the wait
 * for a thread, the disk, and the wait for the event loop.
 *
 * The notes go to the file that STALLS_FILE names, one line of JSON each (`Stall`).
 */
import * as Fs from "node:fs"
import * as NodeModule from "node:module"
import { PerformanceObserver } from "node:perf_hooks"
import type { Stall } from "./Stall.ts"
import { leastMillis } from "./Stall.ts"

const file = Fs.openSync(process.env["STALLS_FILE"] ?? "/dev/null", "a")
const { readFileSync, writeSync } = Fs

/** So long after its start a node still loads its modules, which is known to hold the event loop. */
const startUpMillis = 3_000

const note = (what: string, startMillis: number, endMillis: number): void => {
  if (endMillis - startMillis < leastMillis || startMillis < startUpMillis) return
  const { timeOrigin } = performance
  const stall: Stall = { what, startMillis: timeOrigin + startMillis, endMillis: timeOrigin + endMillis }
  writeSync(file, `${JSON.stringify(stall)}\n`)
}

/**
 * Since it began: what the main thread has computed, how long it was ready and had no processor, and the
 * pages read.
 */
const usage = () => {
  const { system, user } = process.threadCpuUsage()
  const [, waitedNanos = "0"] = readFileSync("/proc/self/schedstat", "latin1").split(" ")
  const { majorPageFault } = process.resourceUsage()
  return {
    computedMillis: (system + user) / 1_000,
    waitedMillis: Number(waitedNanos) / 1_000_000,
    pagesRead: majorPageFault
  }
}

/** What an event loop did that was late: most of the time, as far as Linux tells. */
const deedOf = (then: ReturnType<typeof usage>, now: ReturnType<typeof usage>, millis: number): string => {
  if (now.computedMillis - then.computedMillis > millis / 2) return "busy"
  if (now.waitedMillis - then.waitedMillis > millis / 2) return "waiting for a processor"
  // Of its program and its libraries, which the system may drop from memory at any time.
  return now.pagesRead > then.pagesRead ? "waiting for pages from the disk" : "in the kernel"
}

const tickMillis = 10
let tickedMillis = performance.now()
let used = usage()
setInterval(() => {
  const nowMillis = performance.now()
  const now = usage()
  note(`event loop, ${deedOf(used, now, nowMillis - tickedMillis)}`, tickedMillis + tickMillis, nowMillis)
  tickedMillis = nowMillis
  used = now
}, tickMillis).unref()

new PerformanceObserver((list) => {
  for (const { duration, startTime } of list.getEntries()) {
    note("garbage collection", startTime, startTime + duration)
  }
}).observe({ entryTypes: ["gc"] })

type Call = (...args: ReadonlyArray<unknown>) => unknown

/** The same call, which is noted when it is done: at once, or when its callback is called. */
const noted =
  (name: string, call: Call): Call =>
  (...args) => {
    const startMillis = performance.now()
    const callback = args.at(-1)
    if (typeof callback === "function") {
      const done: Call = (...results) => {
        note(name, startMillis, performance.now())
        return Reflect.apply(callback, undefined, results)
      }
      return call(...args.slice(0, -1), done)
    }
    try {
      return call(...args)
    } finally {
      note(name, startMillis, performance.now())
    }
  }

const calls = ["open", "close", "read", "write", "writev", "fsync", "fdatasync", "ftruncate", "fstat"]
const callsByPath = ["rename", "unlink", "readdir", "stat", "mkdir"]
const fs: Record<string, unknown> = process.getBuiltinModule("node:fs")
for (const name of [...calls, ...callsByPath].flatMap((call) => [call, `${call}Sync`])) {
  const call = fs[name]
  if (typeof call === "function") fs[name] = noted(name, (...args) => Reflect.apply(call, fs, args))
}
NodeModule.syncBuiltinESMExports()
