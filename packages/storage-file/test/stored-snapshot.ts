/** A store with a snapshot that its log needs, on files in memory, for the tests of what becomes of it. */
import * as Effect from "effect/Effect"
import type { LogStore } from "@effect-raft/core/RaftStorage"
import { snapshotOf, takeSnapshot } from "@effect-raft/core/testing/StorageContractKit"
import type { Snapshot } from "@effect-raft/core/testing/StorageContractKit"
import { beginAfter, block, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SnapshotFormat from "@effect-raft/storage-file/SnapshotFormat"
import { directory, withStore } from "./support.ts"

const options = { directory, segmentBytes: 4096, snapshotChunkBytes: 64 }

export const open = <A, E>(
  files: MemoryLogFileSystem.MemoryLogFileSystem,
  use: (store: LogStore) => Effect.Effect<A, E>
) => withStore(files.layer, use, options)

export const failureOf = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  Effect.map(Effect.flip(open(files, () => Effect.void)), ({ reason }) => reason)

export const flip = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << bit)
  return copy
}

export const snapshot = snapshotOf(5, { sizeBytes: 200 })
export const name = SnapshotFormat.nameOf(snapshot.meta)

/** A store with a snapshot, which its log needs. */
export const withSnapshot = Effect.gen(function* () {
  const files = MemoryLogFileSystem.make()
  yield* open(files, (store) =>
    Effect.gen(function* () {
      yield* store.write(vote(1, "n1", block(1, 1, 9)))
      yield* takeSnapshot(store, snapshot)
      yield* store.write(beginAfter(5, 1))
    })
  )
  return files
})

export const writePart = (store: LogStore, { bytes, meta }: Snapshot, until: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* store.snapshots.writer({ meta, purpose: "Receive", resume: true })
      const offset = writer.offset()
      yield* writer.write(bytes.subarray(offset, until))
      if (until === bytes.byteLength) yield* writer.commit
      return offset
    })
  )
