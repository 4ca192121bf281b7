/** Snapshots on a sick disk: one that says no while a snapshot is committed, or loses its power after it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { snapshotOf, takeSnapshot } from "@effect-raft/core/testing/StorageContractKit"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SnapshotFormat from "@effect-raft/storage-file/SnapshotFormat"
import { name, open, withSnapshot } from "./stored-snapshot.ts"
import { directory, expectSnapshot } from "./support.ts"

describe("power that fails after a snapshot has taken the place of another", () => {
  it.effect("may bring the older one back, which does not count, and goes when the store opens", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const newer = snapshotOf(8, { sizeBytes: 300 })
      yield* open(files, (store) => takeSnapshot(store, newer))
      const snapshotsIn = () => files.namesOf(directory).filter(SnapshotFormat.isSnapshotName)
      files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
      const newerName = SnapshotFormat.nameOf(newer.meta)
      assert.deepStrictEqual([...snapshotsIn()].sort(), [name, newerName])
      yield* open(files, (store) => expectSnapshot(store, newer))
      assert.deepStrictEqual(snapshotsIn(), [newerName])
    })
  )
})

describe("a disk that says no while a snapshot is committed", () => {
  const former = snapshotOf(5, { sizeBytes: 200 })
  const newer = snapshotOf(8, { sizeBytes: 300 })

  it.effect("leaves the former one or the new one, and a log that goes on", () =>
    Effect.gen(function* () {
      let [failed, done] = [0, 0]
      for (let operation = 0; operation < 20; operation++) {
        const files = MemoryLogFileSystem.make()
        const isCommitted = yield* open(files, (store) =>
          Effect.gen(function* () {
            yield* store.write(append(block(1, 1, 9)))
            yield* takeSnapshot(store, former)
            files.failAfter(operation, "EIO")
            const taken = yield* Effect.result(takeSnapshot(store, newer))
            if (Result.isFailure(taken)) assert.strictEqual(taken.failure.reason._tag, "IoFailed")
            files.failAfter(Infinity, "EIO")
            yield* expectSnapshot(store, Result.isSuccess(taken) ? newer : former)
            yield* store.write(append(block(10, 1)))
            return Result.isSuccess(taken)
          })
        )
        if (isCommitted) done++
        else failed++
        files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
        yield* open(files, (store) =>
          Effect.gen(function* () {
            const found = store.recovered.snapshot?.lastIndex
            if (isCommitted) assert.strictEqual(found, 8, `operation ${operation}`)
            yield* expectSnapshot(store, found === 8 ? newer : former)
            yield* takeSnapshot(store, newer)
          })
        )
      }
      assert.isAtLeast(failed, 8)
      assert.isAtLeast(done, 8)
    })
  )

  it.effect("ends the writer: it does not try again what failed", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) =>
        Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* store.snapshots.writer({ meta: newer.meta, purpose: "Take" })
            yield* writer.write(newer.bytes)
            files.failAfter(2, "EIO")
            const failure = yield* Effect.flip(writer.commit)
            assert.strictEqual(
              failure.message,
              "flush failed on /store/take.part: the disk reports an error (EIO); look at the disk before the node is started again"
            )
            const operations = files.operations()
            assert.strictEqual(yield* Effect.flip(writer.commit), failure)
            assert.strictEqual(yield* Effect.flip(writer.write(new Uint8Array(100))), failure)
            assert.strictEqual(files.operations(), operations)
          })
        )
      )
    })
  )

  it.effect("and then goes on with the part has the bytes on the disk, not only in the page cache", () =>
    Effect.gen(function* () {
      let failed = 0
      for (let hasFailed = true; hasFailed;) {
        const files = MemoryLogFileSystem.make()
        hasFailed = yield* open(files, (store) =>
          Effect.gen(function* () {
            const attempt = Effect.scoped(
              Effect.gen(function* () {
                const writer = yield* store.snapshots.writer({
                  meta: newer.meta,
                  purpose: "Receive",
                  resume: true
                })
                yield* writer.write(newer.bytes.subarray(writer.offset()))
                yield* writer.commit
              })
            )
            files.failAfter(failed, "EIO")
            const first = yield* Effect.result(attempt)
            if (Result.isSuccess(first)) return false
            yield* attempt
            return true
          })
        )
        files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
        if (!hasFailed) break
        yield* open(files, (store) => expectSnapshot(store, newer))
        failed += 1
      }
      assert.isAtLeast(failed, 8)
    })
  )
})
