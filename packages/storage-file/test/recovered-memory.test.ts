/** What of the files stays in memory when a log has been read back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
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
})
