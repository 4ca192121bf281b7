/** Snapshots with a bit that is not as it was written: it is found, or changes nothing that is read. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { LogStore, StorageError } from "@effect-raft/core/RaftStorage"
import { snapshotOf, sumOf, writeAll } from "@effect-raft/core/testing/StorageContractKit"
import type { Snapshot } from "@effect-raft/core/testing/StorageContractKit"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, beginAfter, block, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SnapshotFormat from "@effect-raft/storage-file/SnapshotFormat"
import { flip, name, open, snapshot, withSnapshot, writePart } from "./stored-snapshot.ts"
import { directory, expectSnapshot } from "./support.ts"

describe("a bit that is not as it was written", () => {
  it.effect("in a snapshot, at any byte, is found", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const bytes = files.bytesOf(directory, name).slice()
      for (let at = 0; at < bytes.byteLength; at++) {
        files.replace(directory, name, flip(bytes, at, at % 8))
        const read = yield* Effect.result(open(files, (store) => expectSnapshot(store, snapshot)))
        if (Result.isSuccess(read)) return assert.fail(`byte ${at} of ${bytes.byteLength}`)
        const { reason } = read.failure
        if (reason._tag !== "DamagedStore") return assert.fail(`byte ${at}: ${read.failure.message}`)
        assert.strictEqual(reason.location, `${directory}/${name}`)
      }
    })
  )

  it.effect("is not the only damage: two chunks that have changed places are found, too", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const bytes = files.bytesOf(directory, name).slice()
      const chunk = 64 + SnapshotFormat.chunkHeaderBytes
      const end = bytes.byteLength - SnapshotFormat.footerBytes - (200 % 64) - SnapshotFormat.chunkHeaderBytes
      bytes.copyWithin(end - 2 * chunk, end - chunk, end)
      bytes.set(files.bytesOf(directory, name).subarray(end - 2 * chunk, end - chunk), end - chunk)
      files.replace(directory, name, bytes)
      const { reason } = yield* Effect.flip(open(files, (store) => expectSnapshot(store, snapshot)))
      assert.deepInclude(reason, { _tag: "DamagedStore", offset: end - 2 * chunk })
    })
  )

  it.effect("after the end of a part does not get into the snapshot", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) => writePart(store, snapshot, 190))
      const junk = new Uint8Array(500).fill(7)
      files.replace(
        directory,
        "receive.part",
        new Uint8Array([...files.bytesOf(directory, "receive.part"), ...junk])
      )
      assert.strictEqual(yield* open(files, (store) => writePart(store, snapshot, 200)), 128)
      yield* open(files, (store) => expectSnapshot(store, snapshot))
    })
  )

  it.effect("in a part of a snapshot, at any byte, costs the part from there on and no more", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) => writePart(store, snapshot, 190))
      const bytes = files.bytesOf(directory, "receive.part").slice()
      const headerBytes = bytes.byteLength - 2 * (64 + SnapshotFormat.chunkHeaderBytes)
      for (let at = 0; at < bytes.byteLength; at++) {
        files.replace(directory, "receive.part", flip(bytes, at, at % 8))
        const offset = yield* open(files, (store) => writePart(store, snapshot, 200))
        const wholeChunks = Math.max(0, Math.floor((at - headerBytes) / 72))
        assert.strictEqual(offset, at < headerBytes ? 0 : wholeChunks * 64, `byte ${at}`)
        yield* open(files, (store) => expectSnapshot(store, snapshot))
      }
    })
  )

  it.effect("anywhere in a store that was compacted changes nothing that is read", () =>
    Effect.gen(function* () {
      const batches = [
        vote(1, "n1", block(1, 1, 9, 150)),
        append(block(10, 1, 9, 200)),
        beginAfter(11, 1),
        append(block(19, 1, 9, 200)),
        vote(2, null, block(28, 2, 9, 150))
      ]
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) => writeAll(store, batches))
      const names = files.namesOf(directory)
      assert.isFalse(names.includes("00000001.wal"))
      assert.isAtLeast(names.length, 3)
      const copies = names.map((file) => [file, files.bytesOf(directory, file).slice()] as const)
      for (const [file, bytes] of copies) {
        for (let at = 0; at < bytes.byteLength; at++) {
          for (const [other, whole] of copies) files.replace(directory, other, whole.slice())
          files.replace(directory, file, flip(bytes, at, at % 8))
          const problem = yield* open(files, (store) => readAll(store, sumOf(batches), snapshotOf(11))).pipe(
            Effect.catchIf(isDamage, () => Effect.undefined)
          )
          assert.isUndefined(problem, `${file}, byte ${at}`)
        }
      }
    })
  )
})

const isDamage = ({ reason }: StorageError) => reason._tag === "DamagedStore"

const readAll = (store: LogStore, expected: StorageModel.StorageModel, taken: Snapshot) =>
  Effect.as(
    expectSnapshot(store, taken),
    StorageModel.difference(expected, StorageModel.ofRecovered(store.recovered))
  )

/** Goes on with a part up to `until`, commits it where that is the end, and says where it began. */
