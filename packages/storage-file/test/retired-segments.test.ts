/** Segments that a snapshot has made needless: some of their files become later segments, also after a restart. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { sumOf, writeAll } from "@effect-raft/core/testing/StorageContractKit"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, beginAfter, block } from "@effect-raft/core/testing/StorageScripts"
import type { WriteBatch } from "@effect-raft/core/RaftStorage"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { directory, withStore } from "./support.ts"
import { watched } from "./watched-files.ts"

const options = { directory, segmentBytes: 4096 }
/** So many needless ones wait to be written over. */
const keptSegments = 4

/** Thirty entries of a kilobyte: ten segments. */
const thirty = Array.from({ length: 30 }, (_, position) => append(block(position + 1, 1, 1, 1000)))

/** Opens the store, which must have what these batches add up to. */
const expectFound = (files: MemoryLogFileSystem.MemoryLogFileSystem, written: ReadonlyArray<WriteBatch>) =>
  withStore(
    files.layer,
    (store) =>
      Effect.sync(() => {
        const found = StorageModel.ofRecovered(store.recovered)
        assert.isUndefined(StorageModel.difference(sumOf(written), found))
      }),
    options
  )

describe("a segment that nobody needs any more", () => {
  it.effect("is written over by a later one, and nothing of it is read again", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const written: Array<WriteBatch> = []
      for (let index = 1; index <= 120; index++) {
        written.push(append(block(index, 1, 1, 1000)))
        if (index % 10 === 0) written.push(beginAfter(index - 3, 1))
      }
      const operations: Array<string> = []
      yield* withStore(watched(files, operations), (store) => writeAll(store, written), options)
      const renewed = operations.filter((name) => name === "rename .wal.old .wal.new").length
      const filled = operations.filter((name) => name === "create .wal.new").length
      assert.isAbove(renewed, 20)
      assert.isAbove(renewed, 2 * filled)
      yield* expectFound(files, written)
    })
  )

  it.effect("is not kept for later where it is larger than others", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const large = append(block(1, 1, 1, 9000))
      const batches = [large, append(block(2, 1, 1, 3000)), append(block(3, 1, 1, 3000)), beginAfter(2, 1)]
      yield* withStore(files.layer, (store) => writeAll(store, batches), options)
      assert.deepStrictEqual(
        files.namesOf(directory).filter((name) => name.startsWith("00000002")),
        []
      )
    })
  )

  const retiredIn = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
    files.namesOf(directory).filter((name) => name.endsWith(".old"))

  /** Goes on after a restart, and returns how often a file was made and how often one was written over. */
  const filledAndRenewed = Effect.fnUntraced(function* (
    files: MemoryLogFileSystem.MemoryLogFileSystem,
    segmentBytes: number
  ) {
    const operations: Array<string> = []
    const later = Array.from({ length: 12 }, (_, position) => append(block(31 + position, 1, 1, 1000)))
    yield* withStore(watched(files, operations), (store) => writeAll(store, later), {
      directory,
      segmentBytes
    })
    const count = (wanted: string) => operations.filter((name) => name === wanted).length
    return [count("create .wal.new"), count("rename .wal.old .wal.new")]
  })

  const withRetired = Effect.fnUntraced(function* () {
    const files = MemoryLogFileSystem.make()
    yield* withStore(files.layer, (store) => writeAll(store, [...thirty, beginAfter(20, 1)]), options)
    assert.strictEqual(retiredIn(files).length, keptSegments)
    return files
  })

  it.effect("is not touched before its old name is gone for good", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const operations: Array<string> = []
      const batches = [...thirty, beginAfter(20, 1), append(block(31, 1, 2, 1000))]
      yield* withStore(watched(files, operations), (store) => writeAll(store, batches), options)
      const last = operations.lastIndexOf("rename .wal .wal.old")
      assert.isAbove(last, 0)
      assert.strictEqual(operations[last + 1], "sync names")
    })
  )

  it.effect("is written over after a restart, too", () =>
    Effect.gen(function* () {
      const files = yield* withRetired()
      const [, renewed] = yield* filledAndRenewed(files, options.segmentBytes)
      assert.strictEqual(renewed, keptSegments)
      const written = [...thirty, beginAfter(20, 1)]
      for (let index = 31; index <= 42; index++) written.push(append(block(index, 1, 1, 1000)))
      yield* expectFound(files, written)
    })
  )

  it.effect("is removed where segments have another size now", () =>
    Effect.gen(function* () {
      const files = yield* withRetired()
      const [filled, renewed] = yield* filledAndRenewed(files, 2 * options.segmentBytes)
      assert.isAbove(filled!, 0)
      assert.strictEqual(renewed, 0)
      assert.isBelow(retiredIn(files).length, keptSegments)
    })
  )

  it.effect("is removed where its file is not what it was, or has its former name as well", () =>
    Effect.gen(function* () {
      const damages: ReadonlyArray<(files: MemoryLogFileSystem.MemoryLogFileSystem, name: string) => void> = [
        (files, name) =>
          files.replace(directory, name, files.bytesOf(directory, name).slice().fill(7, 20, 30)),
        (files, name) => files.replace(directory, name, files.bytesOf(directory, "00000008.wal").slice()),
        (files, name) => files.replace(directory, name, new Uint8Array(100))
      ]
      for (const damage of damages) {
        const files = yield* withRetired()
        for (const name of retiredIn(files)) damage(files, name)
        const [filled, renewed] = yield* filledAndRenewed(files, options.segmentBytes)
        assert.isAbove(filled!, 0)
        assert.strictEqual(renewed, 0)
      }
      const files = yield* withRetired()
      const name = files.namesOf(directory).find((one) => one.endsWith(".wal"))!
      files.replace(directory, `${name}.old`, files.bytesOf(directory, name))
      yield* withStore(files.layer, () => Effect.void, options)
      assert.notInclude(files.namesOf(directory), `${name}.old`)
    })
  )
})
