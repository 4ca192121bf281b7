/** What of the files stays in memory when a log has been read back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
import { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import { prefixOf, temporaryDirectory, withStore } from "./support.ts"

const batches = [append(block(1, 1, 1, 100)), append(block(2, 1, 1, 100))]

describe("a log that was read back from the disk", () => {
  it.live("keeps its entries in memory, and not the room that the last segment has left", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const options = { directory: path, segmentBytes: 1024 * 1024 }
      yield* withStore(NodeLogFileSystem.layer, (store) => writeAll(store, batches), options)
      yield* withStore(
        NodeLogFileSystem.layer,
        (store) =>
          Effect.sync(() => {
            assert.strictEqual(prefixOf(batches, store), batches.length)
            for (const { bytes } of store.recovered.blocks) assert.isBelow(bytes.buffer.byteLength, 4096)
          }),
        options
      )
    })
  )

  it.live("gives back at once what was read of the last segment", () =>
    Effect.gen(function* () {
      const options = { directory: yield* temporaryDirectory, segmentBytes: 1024 * 1024 }
      yield* withStore(NodeLogFileSystem.layer, (store) => writeAll(store, batches), options)
      const read: Array<Uint8Array> = []
      yield* withStore(
        watched((file) => read.push(file)),
        () => Effect.sync(() => assert.strictEqual(read.at(-1)?.byteLength, 0)),
        options
      )
    })
  )
})

/** The disk's files, each of which is shown when it has been read whole. */
const watched = (onRead: (file: Uint8Array) => void) =>
  Layer.effect(
    LogFileSystem,
    Effect.map(LogFileSystem, (files) => ({
      ...files,
      openDirectory: (path: string) =>
        Effect.map(files.openDirectory(path), (opened) => ({
          ...opened,
          read: (name: string) => Effect.tap(opened.read(name), (file) => Effect.sync(() => onRead(file)))
        }))
    }))
  ).pipe(Layer.provide(NodeLogFileSystem.layer))
