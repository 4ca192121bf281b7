/** A disk that says no: the error is typed, the store is closed to writes, and nothing is tried twice. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { append, block, vote } from "@effect-raft/core/testing/StorageScripts"
import { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { directory, prefixOf, withStore } from "./support.ts"

const batches = [vote(1, "n1"), append(block(1, 1)), append(block(2, 1))]

const failingWrite = (
  files: MemoryLogFileSystem.MemoryLogFileSystem,
  operation: number,
  code: "EIO" | "ENOSPC"
) =>
  withStore(files.layer, (store) =>
    Effect.gen(function* () {
      yield* store.write(batches[0]!)
      files.failAfter(operation, code)
      const failure = yield* Effect.flip(store.write(batches[1]!))
      const operations = files.operations()
      const later = yield* Effect.flip(store.write(batches[1]!))
      assert.strictEqual(later, failure)
      assert.strictEqual(files.operations(), operations, "the disk was used again")
      return failure
    })
  )

describe("B17, B20: a failed", () => {
  it.effect("write is the last one, and says why", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const { message, reason } = yield* failingWrite(files, 0, "ENOSPC")
      assert.strictEqual(reason._tag, "IoFailed")
      assert.strictEqual(
        message,
        "write failed on /store/00000001.wal: the disk is full (ENOSPC); make room and start the node again"
      )
      const prefix = yield* withStore(files.layer, (store) => Effect.sync(() => prefixOf(batches, store)))
      assert.strictEqual(prefix, 1)
    })
  )

  it.effect("flush is the last one, and is not tried again", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const { message } = yield* failingWrite(files, 1, "EIO")
      assert.strictEqual(
        message,
        "flush failed on /store/00000001.wal: the disk reports an error (EIO); look at the disk before the node is started again"
      )
    })
  )

  it.effect("flush leaves nothing that is recovered and then lost", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* failingWrite(files, 1, "EIO")
      const recovered = yield* withStore(files.layer, (store) =>
        Effect.sync(() => {
          files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
          return prefixOf(batches, store)
        })
      )
      const afterPowerFailure = yield* withStore(files.layer, (store) =>
        Effect.sync(() => prefixOf(batches, store))
      )
      assert.strictEqual(recovered, 2)
      assert.strictEqual(afterPowerFailure, recovered)
    })
  )

  it.effect("operation while a segment is made or begun is the last one", () =>
    Effect.gen(function* () {
      const first = vote(1, "n1", block(1, 1))
      const large = append(block(2, 1, 1, 20_000))
      for (let operation = 0; operation < 7; operation++) {
        const files = MemoryLogFileSystem.make()
        yield* withStore(files.layer, (store) =>
          Effect.gen(function* () {
            yield* store.write(first)
            files.failAfter(operation, "EIO")
            const failure = yield* Effect.flip(store.write(large))
            assert.strictEqual(yield* Effect.flip(store.write(large)), failure)
          })
        )
        const written = [first, large]
        const prefix = yield* withStore(files.layer, (store) => Effect.sync(() => prefixOf(written, store)))
        assert.strictEqual(prefix, operation === 6 ? 2 : 1, `operation ${operation}`)
      }
    })
  )
})

/** The files of `files`, but a flush waits at the gate. */
const withSlowFlush = (files: MemoryLogFileSystem.MemoryLogFileSystem, gate: Latch.Latch) =>
  Layer.effect(
    LogFileSystem,
    Effect.map(LogFileSystem, ({ lookInto, openDirectory }) =>
      LogFileSystem.of({
        lookInto,
        openDirectory: (path) =>
          Effect.map(openDirectory(path), (opened) => ({
            ...opened,
            open: (name) =>
              Effect.map(opened.open(name), (file) => ({
                ...file,
                sync: Effect.andThen(gate.await, file.sync)
              }))
          }))
      })
    )
  ).pipe(Layer.provide(files.layer))

describe("an interrupted write", () => {
  it.effect("is the last one, and its batch is there whole or not at all", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const gate = Latch.makeUnsafe(true)
      yield* withStore(withSlowFlush(files, gate), (store) =>
        Effect.gen(function* () {
          yield* store.write(batches[0]!)
          gate.closeUnsafe()
          const writing = yield* Effect.forkChild(store.write(batches[1]!), { startImmediately: true })
          yield* Fiber.interrupt(writing)
          gate.openUnsafe()
          const { reason } = yield* Effect.flip(store.write(batches[1]!))
          assert.strictEqual(reason._tag, "IoFailed")
        })
      )
      files.restart({ bytes: { firstBytes: 80 }, names: "Kept" })
      const prefix = yield* withStore(files.layer, (store) => Effect.sync(() => prefixOf(batches, store)))
      assert.strictEqual(prefix, 1)
      assert.deepStrictEqual(files.namesOf(directory), ["00000001.wal"])
    })
  )
})
