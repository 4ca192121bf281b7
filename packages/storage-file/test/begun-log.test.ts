/**
 * The first start of a store: of the segment that it has just made it reads no more than the beginning, and goes on
 * behind that.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
import { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import type { ReadableFile } from "@effect-raft/storage-file/LogFileSystem"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { prefixOf, segmentBytes, withStore } from "./support.ts"

type Files = MemoryLogFileSystem.MemoryLogFileSystem

const batches = [append(block(1, 1, 1, 100)), append(block(2, 1, 1, 100))]

/** Files that count the bytes that are read of them. */
const counted = ({ files }: Files, onRead: (bytes: number) => void) => {
  const count = (read: ReturnType<ReadableFile["read"]>) =>
    Effect.tap(read, ({ byteLength }) => Effect.sync(() => onRead(byteLength)))
  return Layer.succeed(LogFileSystem, {
    ...files,
    openDirectory: (path) =>
      Effect.map(files.openDirectory(path), (opened) => ({
        ...opened,
        read: (name) => count(opened.read(name)),
        openToRead: (name) =>
          Effect.map(opened.openToRead(name), (file) => ({
            ...file,
            read: (position: number, bytes: number) => count(file.read(position, bytes))
          }))
      }))
  })
}

const foundIn = (files: Files) =>
  withStore(files.layer, (store) => Effect.sync(() => prefixOf(batches, store)))

describe("a log that was begun just now", () => {
  it.effect("is not read back from end to end, and goes on like any other", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      let readBytes = 0
      const layer = counted(files, (bytes) => {
        readBytes += bytes
      })
      yield* withStore(layer, (store) => {
        assert.isBelow(readBytes, segmentBytes / 8)
        assert.deepStrictEqual([store.recovered.blocks.length, store.recovered.notes], [0, []])
        return Effect.andThen(writeAll(store, batches), Effect.sync(files.kill))
      })
      assert.strictEqual(yield* foundIn(files), batches.length)
    })
  )

  it.effect("is one that may be empty, when the process dies before anything is written", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(files.layer, () => Effect.sync(files.kill))
      yield* withStore(files.layer, (store) => writeAll(store, batches))
      assert.strictEqual(yield* foundIn(files), batches.length)
    })
  )
})
