/**
 * The stores in memory: both keep the contract of `RaftStorage`, and the disk of the tests also crashes,
 * hangs, fails and slows down as it is told.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryStorage from "@effect-raft/core/MemoryStorage"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import { emptyState, type LogStore } from "@effect-raft/core/RaftStorage"
import * as MemoryDisk from "@effect-raft/core/testing/MemoryDisk"
import * as RaftStorageContract from "@effect-raft/core/testing/RaftStorageContract"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, block, vote } from "@effect-raft/core/testing/StorageScripts"

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
