/**
 * The write-ahead log alone, beside what the disk can do: appends per second with 1, 16 and 256 callers
 * who wait together (what waits shares a flush), and a whole node of a cluster of one on the same log.
 *
 * The limit is a bare loop of write and fdatasync, with records of the same size, round and round in a file that
 * was filled with zeros before: once with the flush in the thread pool, once on the event loop. The log is cut as
 * that of a node is, by a snapshot now and then, so that it, too, comes to write over what it does not need. It is
 * measured when it has come to that, as the loop's file was filled before; and from its first append on, which is
 * while its segments still have no blocks.
 *
 * Both get bytes that are there already, some dozen blocks in turn: to encode a block is the leader's work and not
 * the log's, and what it costs is in the row of the cluster. In a process with so little else in its memory the
 * buffers of 2,000 blocks a second made the collector look through all of it nine times a second.
 */
import * as LogEntry from "@effect-raft/core/LogEntry"
import * as LogIndex from "@effect-raft/core/LogIndex"
import * as Membership from "@effect-raft/core/Membership"
import * as MemoryTransport from "@effect-raft/core/MemoryTransport"
import type { ClusterId, GroupId, NodeId } from "@effect-raft/core/NodeId"
import * as Raft from "@effect-raft/core/Raft"
import { RaftConfig } from "@effect-raft/core/RaftConfig"
import { RaftStorage } from "@effect-raft/core/RaftStorage"
import type { LogBase, LogStore, StorageError } from "@effect-raft/core/RaftStorage"
import type { SnapshotMeta } from "@effect-raft/core/Snapshot"
import type { Term } from "@effect-raft/core/Term"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as BatchRecord from "@effect-raft/storage-file/BatchRecord"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import * as NodePerfHooks from "node:perf_hooks"
import { setImmediate } from "node:timers/promises"
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
    { subject: "FileStorage", case: varied, measure: fileStorage(bench, waiting, fresh, cutsBefore) },
    { subject: "FileStorage, new", case: varied, measure: fileStorage(bench, waiting, fresh, 0) },
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

/**
 * So many that a block has left the processor's caches when its turn comes again, as it has when a node writes it.
 */
const differentBlocks = 32

const inTurn = <A>(make: () => A): (() => A) => {
  const made = Array.from({ length: differentBlocks }, make)
  let next = 0
  return () => made[next++ % differentBlocks]!
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
      const bytes = BatchRecord.totalBytes(LogEntry.encodedBytes(valueBytes) * waiting)
      const records = inTurn(() => new Uint8Array(bytes).fill(1))
      let position = 0
      return await measureAppends(bench, waiting, () => {
        const record = records()
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

/** So often a log was cut before it is measured: then there are former segments for all that it writes. */
const cutsBefore = 3
const largestWaiting = 256

const fileStorage = (bench: Bench, waiting: number, fresh: () => string, cuts: number) =>
  Effect.suspend(() =>
    Effect.scoped(
      Effect.gen(function* () {
        const storage = yield* RaftStorage
        const log = makeLog(yield* storage.open(identity), yield* Effect.scope)
        const [large, blocks] = [blocksOf(largestWaiting), blocksOf(waiting)]
        yield* Effect.whileLoop({
          while: () => log.cuts() < cuts,
          body: () => log.append(large),
          step: () => undefined
        })
        // A node's batches come in turns of the event loop, where what goes on beside them has its turn, too.
        return yield* measured(() =>
          measureAppends(bench, waiting, () =>
            setImmediate().then(() => Effect.runPromise(log.append(blocks)))
          )
        )
      })
    ).pipe(Effect.provide(storageAt(fresh())), Effect.mapError(failed))
  )

const term = 1 as Term
const config = RaftConfig.make({})
const payload = new Uint8Array(valueBytes).fill(1)
const drafts = Array.from({ length: largestWaiting }, () => ({ kind: "Command", payload }) as const)
const anywhere = { firstIndex: LogIndex.plus(LogIndex.zero, 1), term, timestampMillis: 0 }

/** Blocks of `count` entries. Where in a log a block stands is not among its bytes. */
const blocksOf = (count: number) => inTurn(() => LogEntry.encodeBlock(drafts.slice(0, count), anywhere))
const entriesIn = (bytes: number): number => Math.floor(bytes / LogEntry.encodedBytes(valueBytes))

/**
 * A log that is appended to and cut as a node's is: the snapshot is taken meanwhile, the cut comes with a later
 * batch.
 */
const makeLog = (store: LogStore, scope: Scope.Scope) => {
  let firstIndex = LogIndex.plus(LogIndex.zero, 1)
  let base: LogBase | undefined
  let cuts = 0
  let taking: Fiber.Fiber<void, StorageError> | undefined

  const takeSnapshot = (lastIndex: LogIndex.LogIndex) =>
    Effect.gen(function* () {
      if (taking !== undefined) yield* Fiber.join(taking)
      taking = yield* Effect.forkIn(snapshot(lastIndex), scope)
    })

  const snapshot = (lastIndex: LogIndex.LogIndex) =>
    Effect.gen(function* () {
      const writer = yield* store.snapshots.writer({ meta: metaOf(lastIndex), purpose: "Take" })
      yield* writer.commit
      base = { index: LogIndex.plus(lastIndex, -entriesIn(config.snapshotTrailingBytes)), term }
    }).pipe(Effect.scoped)

  const append = (blocks: () => LogEntry.EntryBlock) =>
    Effect.suspend(() => {
      const block = { ...blocks(), firstIndex }
      const count = block.offsets.length
      const isSnapshotDue = hasReached(firstIndex, count)
      firstIndex = LogIndex.plus(firstIndex, count)
      const written = store.write({ ...(base !== undefined && { base }), blocks: [block] })
      if (base !== undefined) cuts += 1
      base = undefined
      return isSnapshotDue ? Effect.andThen(written, takeSnapshot(LogEntry.lastIndex(block))) : written
    })

  return { append, cuts: () => cuts }
}

/** Whether another `snapshotEveryBytes` of entries are full with these. */
const hasReached = (firstIndex: number, count: number): boolean => {
  const every = entriesIn(config.snapshotEveryBytes)
  return Math.floor(firstIndex / every) !== Math.floor((firstIndex + count) / every)
}

/** Of a snapshot without contents. */
const metaOf = (lastIndex: LogIndex.LogIndex): SnapshotMeta => ({
  id: `at-${lastIndex}`,
  lastIndex,
  lastTerm: term,
  lastTimestampMillis: 0,
  membership: Membership.none
})

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
