/**
 * The write-ahead log alone, beside what the disk can do: appends per second with 1, 16 and 256 callers
 * who wait together (what waits shares a flush), and a whole node of a cluster of one on the same log.
 *
 * The limit is a bare loop of write and fdatasync, with records of the same size, round and round in a file that
 * was filled with zeros before: once with the flush in the thread pool, once on the event loop. The log is cut as
 * that of a node is, by a snapshot now and then, so that it, too, comes to write over what it does not need.
 */
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as Membership from "@effect-raft/core/Membership"
import * as MemoryTransport from "@effect-raft/core/MemoryTransport"
import type { ClusterId, GroupId, NodeId } from "@effect-raft/core/NodeId"
import * as Raft from "@effect-raft/core/Raft"
import { RaftConfig } from "@effect-raft/core/RaftConfig"
import { RaftStorage } from "@effect-raft/core/RaftStorage"
import type { LogStore } from "@effect-raft/core/RaftStorage"
import type { Term } from "@effect-raft/core/Term"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as BatchRecord from "@effect-raft/storage-file/BatchRecord"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import * as NodePerfHooks from "node:perf_hooks"
import * as ClosedLoop from "../ClosedLoop.ts"
import { BenchFailed, inTurns } from "../Scenario.ts"
import type { Bench, Scenario, Variant } from "../Scenario.ts"

const valueBytes = 256
const fileBytes = 16 * 1024 * 1024
const warmUpSeconds = 0.3

export const disk: Scenario = {
  name: "disk",
  summary: "the write-ahead log beside the plain limit of the disk under it",
  layout: {
    baseline: "bare loop, flush in the pool",
    columns: [
      { figure: "perSecond", title: "appends/s", decimals: 0, ratio: true },
      { figure: "p50Millis", title: "p50 ms", decimals: 3 },
      { figure: "p99Millis", title: "p99 ms", decimals: 3 },
      { figure: "cpuMicrosPerOp", title: "CPU µs/append", decimals: 1 }
    ]
  },
  run: (bench) =>
    inTurns(
      bench,
      [1, 16, 256].flatMap((waiting) => variantsOf(bench, waiting))
    )
}

const variantsOf = (bench: Bench, waiting: number): ReadonlyArray<Variant<BenchFailed, never>> => {
  let count = 0
  const fresh = () => NodePath.join(bench.directory, `${waiting}-${count++}`)
  const varied = { waiting, valueBytes }
  return [
    { subject: "bare loop, flush in the pool", case: varied, measure: bare(bench, waiting, fresh, inPool) },
    { subject: "bare loop, flush on the loop", case: varied, measure: bare(bench, waiting, fresh, onLoop) },
    { subject: "FileStorage", case: varied, measure: fileStorage(bench, waiting, fresh) },
    { subject: "a cluster of one", case: varied, measure: clusterOfOne(bench, waiting, fresh) }
  ].filter(({ subject }) => `${subject}, waiting ${waiting}`.includes(bench.only))
}

// --- a loop that appends batch after batch -------------------------------------------------------------

type Append = () => Promise<void>

/** Every append takes all `waiting` callers along. */
const measureAppends = async (bench: Bench, waiting: number, append: Append) => {
  const latencies = NodePerfHooks.createHistogram()
  const beginMillis = performance.now() + warmUpSeconds * 1000
  while (performance.now() < beginMillis) await append()
  const cpu = process.cpuUsage()
  const startMillis = performance.now()
  const endMillis = startMillis + bench.seconds * 1000
  for (let nowMillis = startMillis; nowMillis < endMillis;) {
    await append()
    const doneMillis = performance.now()
    latencies.record(Math.round((doneMillis - nowMillis) * 1_000_000))
    nowMillis = doneMillis
  }
  const { system, user } = process.cpuUsage(cpu)
  const operations = latencies.count * waiting
  return {
    perSecond: operations / ((performance.now() - startMillis) / 1000),
    p50Millis: latencies.percentile(50) / 1_000_000,
    p99Millis: latencies.percentile(99) / 1_000_000,
    cpuMicrosPerOp: (system + user) / operations
  }
}

const measured = <A>(measure: () => Promise<A>) =>
  Effect.tryPromise({ try: measure, catch: (cause) => new BenchFailed({ message: String(cause) }) })

// --- the limit of the disk -----------------------------------------------------------------------------

type Flush = (descriptor: number) => Promise<void>

const inPool: Flush = (descriptor) =>
  new Promise((resolve, reject) =>
    NodeFs.fdatasync(descriptor, (cause) => (cause === null ? resolve() : reject(cause)))
  )

const onLoop: Flush = (descriptor) => {
  NodeFs.fdatasyncSync(descriptor)
  return Promise.resolve()
}

const bare = (bench: Bench, waiting: number, fresh: () => string, flush: Flush) =>
  measured(async () => {
    const descriptor = NodeFs.openSync(fresh(), "w")
    try {
      NodeFs.writeSync(descriptor, new Uint8Array(fileBytes))
      NodeFs.fsyncSync(descriptor)
      const record = new Uint8Array(BatchRecord.totalBytes(LogEntry.encodedBytes(valueBytes) * waiting)).fill(
        1
      )
      let position = 0
      return await measureAppends(bench, waiting, () => {
        if (position + record.byteLength > fileBytes) position = 0
        NodeFs.writeSync(descriptor, record, 0, record.byteLength, position)
        position += record.byteLength
        return flush(descriptor)
      })
    } finally {
      NodeFs.closeSync(descriptor)
    }
  })

// --- our log -------------------------------------------------------------------------------------------

const identity = {
  clusterId: "bench" as ClusterId,
  groupId: "bench" as GroupId,
  nodeId: "n1" as NodeId
}

const storageAt = (directory: string) =>
  FileStorage.layer({ directory }).pipe(Layer.provide(NodeLogFileSystem.layer))

const failed = (error: { readonly message: string }) => new BenchFailed({ message: error.message })

const fileStorage = (bench: Bench, waiting: number, fresh: () => string) =>
  Effect.suspend(() =>
    Effect.scoped(
      Effect.gen(function* () {
        const storage = yield* RaftStorage
        const store = yield* storage.open(identity)
        const payload = new Uint8Array(valueBytes).fill(1)
        const drafts = Array.from({ length: waiting }, () => ({ kind: "Command", payload }) as const)
        let firstIndex = LogIndex.plus(LogIndex.zero, 1)
        const append = Effect.suspend(() => {
          const block = LogEntry.encodeBlock(drafts, { firstIndex, term, timestampMillis: 0 })
          const isCutDue = hasReached(firstIndex, waiting)
          firstIndex = LogIndex.plus(firstIndex, waiting)
          const written = store.write({ blocks: [block] })
          return isCutDue ? Effect.andThen(written, cut(store, LogEntry.lastIndex(block))) : written
        })
        return yield* measured(() => measureAppends(bench, waiting, () => Effect.runPromise(append)))
      })
    ).pipe(Effect.provide(storageAt(fresh())), Effect.mapError(failed))
  )

const term = 1 as Term
const config = RaftConfig.make({})
const entriesIn = (bytes: number): number => Math.floor(bytes / LogEntry.encodedBytes(valueBytes))

/** Whether another `snapshotEveryBytes` of entries are full with these. */
const hasReached = (firstIndex: number, count: number): boolean => {
  const every = entriesIn(config.snapshotEveryBytes)
  return Math.floor(firstIndex / every) !== Math.floor((firstIndex + count) / every)
}

/** What a node does after a snapshot, here one without contents. */
const cut = (store: LogStore, lastIndex: LogIndex.LogIndex) =>
  Effect.gen(function* () {
    const meta = {
      id: `at-${lastIndex}`,
      lastIndex,
      lastTerm: term,
      lastTimestampMillis: 0,
      membership: Membership.none
    }
    const writer = yield* store.snapshots.writer({ meta, purpose: "Take" })
    yield* writer.commit
    const index = LogIndex.plus(lastIndex, -entriesIn(config.snapshotTrailingBytes))
    yield* store.write({ base: { index, term }, blocks: [] })
  }).pipe(Effect.scoped)

// --- a whole node --------------------------------------------------------------------------------------

const clusterOfOne = (bench: Bench, waiting: number, fresh: () => string) =>
  Effect.suspend(() => {
    const node = Raft.layer(KvMachine, { nodeId: "n1", members: { n1: "127.0.0.1:1" } }).pipe(
      Layer.provide(storageAt(fresh())),
      Layer.provide(MemoryTransport.layer)
    )
    return Effect.gen(function* () {
      const raft = yield* KvMachine.Raft
      yield* raft.leader.pipe(
        Stream.filter((leader) => leader !== null),
        Stream.runHead
      )
      const value = new Uint8Array(valueBytes)
      let cpu = process.cpuUsage()
      const result = yield* ClosedLoop.run({
        clients: waiting,
        seconds: bench.seconds,
        warmUpSeconds,
        operation: (client) => raft.propose({ _tag: "Put", key: `key-${client}`, value }),
        onBegin: () => void (cpu = process.cpuUsage())
      })
      const { system, user } = process.cpuUsage(cpu)
      return {
        ...ClosedLoop.figuresOf(result),
        cpuMicrosPerOp: (system + user) / Math.max(1, result.operations)
      }
    }).pipe(Effect.provide(node), Effect.mapError(failed))
  })
