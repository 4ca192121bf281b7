/**
 * Readers that come while a snapshot gets its name: on real files, where opening, renaming and removing a
 * file are under way at the same time. Each of them has the former snapshot or the new one, whole.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { LogStore } from "@effect-raft/core/RaftStorage"
import { snapshotOf, takeSnapshot } from "@effect-raft/core/testing/StorageContractKit"
import type { Snapshot } from "@effect-raft/core/testing/StorageContractKit"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import { temporaryDirectory, withStore } from "./support.ts"

const sizeBytes = 300

/** Reads the newest snapshot again and again, for as long as it is not interrupted. */
const readOn = (store: LogStore) =>
  Effect.forever(
    Effect.scoped(
      Effect.gen(function* () {
        const reader = yield* store.snapshots.reader
        const bytes = yield* reader?.read(0, sizeBytes) ?? Effect.undefined
        assert.deepStrictEqual(bytes, snapshotOf(reader?.meta.lastIndex ?? 0, { sizeBytes }).bytes)
      })
    )
  )

/** Commits one snapshot after the other beside four readers; a reader's failure is the test's. */
const commitBesideReaders = (snapshots: ReadonlyArray<Snapshot>) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    yield* withStore(
      NodeLogFileSystem.layer,
      (store) =>
        Effect.gen(function* () {
          yield* takeSnapshot(store, snapshotOf(1, { sizeBytes }))
          const readers = yield* Effect.forkChild(
            Effect.all([readOn(store), readOn(store), readOn(store), readOn(store)], { concurrency: 4 })
          )
          for (const snapshot of snapshots) yield* takeSnapshot(store, snapshot)
          assert.isUndefined(readers.pollUnsafe())
          yield* Fiber.interrupt(readers)
        }),
      { directory, segmentBytes: 16 * 1024, snapshotChunkBytes: 64 }
    )
  }).pipe(Effect.scoped)

it.live("one that arrives a second time, as it does when the word of its arrival was lost", () =>
  commitBesideReaders(Array.from({ length: 100 }, () => snapshotOf(9, { sizeBytes })))
)

it.live("another one of the same index", () =>
  commitBesideReaders(Array.from({ length: 100 }, (_, at) => snapshotOf(9, { id: `take-${at}`, sizeBytes })))
)

it.live("a later one", () =>
  commitBesideReaders(Array.from({ length: 100 }, (_, at) => snapshotOf(2 + at, { sizeBytes })))
)
