/**
 * The stores in memory: both keep the contract of `RaftStorage`, and the disk of the tests also crashes,
 * hangs, fails and slows down as it is told.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStorage from "@effect-raft/core/MemoryStorage"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import { emptyState, type LogStore } from "@effect-raft/core/RaftStorage"
import * as MemoryDisk from "@effect-raft/core/testing/MemoryDisk"
import * as RaftStorageContract from "@effect-raft/core/testing/RaftStorageContract"
import {
  expectNewest,
  snapshotOf,
  takeSnapshot,
  writePieces
} from "@effect-raft/core/testing/StorageContractKit"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, beginAfter, block, vote } from "@effect-raft/core/testing/StorageScripts"

describe("MemoryStorage keeps the contract: it", () => {
  for (const { name, run } of RaftStorageContract.cases({ homes: "Many" })) {
    it.effect(name, () => Effect.provide(run, Layer.fresh(MemoryStorage.layer)))
  }
})

describe("MemoryDisk keeps the contract: it", () => {
  const losePower = (identity: typeof home) => MemoryDisk.MemoryDisk.use((disk) => disk.crash(identity))
  for (const { name, run } of RaftStorageContract.cases({ homes: "Many", losePower })) {
    it.effect(name, () => Effect.provide(run, Layer.fresh(MemoryDisk.layer)))
  }
})

const home = { clusterId: ClusterId.make("test"), groupId: defaultGroup, nodeId: NodeId.make("n1") }

const lengthOf = (store: Pick<LogStore, "recovered">) =>
  StorageModel.ofRecovered(store.recovered).entries.length

describe("what is written at once", () => {
  const storages = { MemoryStorage: MemoryStorage.make, MemoryDisk: () => MemoryDisk.make().storage }
  for (const [name, make] of Object.entries(storages)) {
    it.effect(`is there when ${name} is opened again, and after its end nothing is taken`, () =>
      Effect.gen(function* () {
        const storage = make()
        const store = yield* Effect.scoped(
          Effect.map(storage.open(home), (store) => {
            assert.isTrue(store.writeNow?.(append(block(1, 1))))
            assert.throws(() => store.writeNow?.(append(block(7, 1))), "Batch refused")
            return store
          })
        )
        assert.isFalse(store.writeNow?.(append(block(2, 1))))
        assert.strictEqual(lengthOf(yield* storage.open(home)), 1)
      })
    )
  }

  it.effect("is nothing on a disk that hangs, takes its time or is about to fail", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      for (const trouble of [
        disk.hang(home),
        disk.setWriteLatencyMillis(home, 1),
        disk.failNextWrite(home)
      ]) {
        yield* trouble
        assert.isFalse(store.writeNow?.(append(block(1, 1))))
        yield* disk.mend(home)
      }
      assert.isTrue(store.writeNow?.(append(block(1, 1))))
      assert.strictEqual(yield* disk.acknowledgedWrites(home), 1)
    })
  )
})

describe("MemoryDisk", () => {
  it.effect("loses the write in flight at a crash, and fails it", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      yield* store.write(append(block(1, 1)))
      yield* disk.hang(home)
      const writing = yield* Effect.forkChild(Effect.flip(store.write(append(block(2, 1)))), {
        startImmediately: true
      })
      yield* disk.crash(home)
      assert.strictEqual((yield* Fiber.join(writing)).reason._tag, "IoFailed")
      assert.strictEqual(lengthOf(yield* disk.storage.open(home)), 1)
    })
  )

  it.effect("keeps the write in flight at a crash when the test says so", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      yield* disk.hang(home)
      const writing = yield* Effect.forkChild(Effect.flip(store.write(append(block(1, 1, 3)))), {
        startImmediately: true
      })
      yield* disk.crash(home, "Kept")
      assert.strictEqual((yield* Fiber.join(writing)).reason._tag, "IoFailed")
      assert.strictEqual(lengthOf(yield* disk.storage.open(home)), 3)
    })
  )

  it.effect("a hanging write waits for the release, and is not durable before", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      yield* disk.hang(home)
      const writing = yield* Effect.forkChild(store.write(vote(1, "n1")), { startImmediately: true })
      assert.strictEqual((yield* disk.durable(home)).hardState.currentTerm, 0)
      assert.strictEqual(yield* disk.acknowledgedWrites(home), 0)
      yield* disk.release(home)
      yield* Fiber.join(writing)
      assert.strictEqual((yield* disk.durable(home)).hardState.currentTerm, 1)
      assert.strictEqual(yield* disk.acknowledgedWrites(home), 1)
    })
  )

  it.effect("a slow write sleeps on the Clock", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      yield* disk.setWriteLatencyMillis(home, 50)
      const writing = yield* Effect.forkChild(store.write(append(block(1, 1))), { startImmediately: true })
      yield* TestClock.adjust(49)
      assert.isUndefined(writing.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(writing)
    })
  )

  it.effect("a failed write is the last one of its session", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* disk.failNextWrite(home)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* disk.storage.open(home)
          const first = yield* Effect.flip(store.write(append(block(1, 1))))
          const second = yield* Effect.flip(store.write(append(block(1, 1))))
          assert.strictEqual(first.reason._tag, "IoFailed")
          assert.deepStrictEqual(second.reason, first.reason)
        })
      )
      const reopened = yield* disk.storage.open(home)
      assert.strictEqual(lengthOf(reopened), 0)
      yield* reopened.write(append(block(1, 1)))
    })
  )

  it.effect("an interrupted write ends the session, and the kernel has it", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* disk.storage.open(home)
          yield* disk.hang(home)
          const writing = yield* Effect.forkChild(store.write(append(block(1, 1))), {
            startImmediately: true
          })
          yield* Fiber.interrupt(writing)
          assert.strictEqual((yield* Effect.flip(store.write(append(block(2, 1))))).reason._tag, "IoFailed")
        })
      )
      assert.strictEqual(lengthOf(yield* disk.storage.open(home)), 1)
    })
  )

  const snapshot = snapshotOf(5, { sizeBytes: 1000 })

  /** Writes a snapshot, and starts its commit while the disk hangs. */
  const startCommit = Effect.fnUntraced(function* (disk: MemoryDisk.MemoryDisk["Service"], store: LogStore) {
    const writer = yield* store.snapshots.writer({ meta: snapshot.meta, purpose: "Receive" })
    yield* writePieces(writer, snapshot.bytes)
    yield* disk.hang(home)
    return yield* Effect.forkChild(Effect.exit(writer.commit), { startImmediately: true })
  })

  for (const fate of ["Lost", "Kept"] as const) {
    it.effect(`a commit in flight at a crash is ${fate.toLowerCase()}, and fails`, () =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make()
        const committing = yield* startCommit(disk, yield* disk.storage.open(home))
        assert.isUndefined((yield* disk.durable(home)).snapshot)
        yield* disk.crash(home, fate)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(committing)))
        const { recovered } = yield* disk.storage.open(home)
        assert.deepStrictEqual(recovered.snapshot, fate === "Kept" ? snapshot.meta : undefined)
      })
    )

    it.effect(`the part of a snapshot at a crash is ${fate.toLowerCase()}`, () =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make()
        const options = { meta: snapshot.meta, purpose: "Receive", resume: true } as const
        const first = yield* disk.storage.open(home)
        yield* writePieces(yield* first.snapshots.writer(options), snapshot.bytes, { until: 600 })
        yield* disk.crash(home, fate)
        const second = yield* disk.storage.open(home)
        const writer = yield* second.snapshots.writer(options)
        assert.strictEqual(writer.offset(), fate === "Kept" ? 600 : 0)
      })
    )
  }

  it.effect("a hanging commit waits for the release, and the log goes on when the disk does", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      const committing = yield* startCommit(disk, store)
      assert.isUndefined(committing.pollUnsafe())
      yield* disk.release(home)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(committing)))
      assert.deepStrictEqual((yield* disk.durable(home)).snapshot, snapshot.meta)
      yield* store.write(beginAfter(5, 1))
    })
  )

  it.effect("a failed commit ends its writer, not the store", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      const former = snapshotOf(2)
      yield* takeSnapshot(store, former)
      yield* disk.failNextWrite(home)
      assert.strictEqual((yield* Effect.flip(takeSnapshot(store, snapshot))).reason._tag, "IoFailed")
      yield* expectNewest(store, former)
      yield* store.write(append(block(1, 1)))
      yield* takeSnapshot(store, snapshot)
      yield* expectNewest(store, snapshot)
    })
  )

  it.effect("is empty after a wipe", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* disk.storage.open(home)
      yield* store.write(vote(4, "n2", block(1, 4)))
      yield* disk.wipe(home)
      const { recovered } = yield* disk.storage.open(home)
      assert.deepStrictEqual(recovered, { ...emptyState(), snapshot: undefined, notes: [] })
    })
  )
})
