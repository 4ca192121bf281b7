/**
 * The power fails at every single operation of a run, and the bytes and names that were not synced are
 * lost, kept or torn in many ways. Whatever happens: every acknowledged batch is there, and what is there
 * is a prefix of what was written.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LogStore, WriteBatch } from "@effect-raft/core/RaftStorage"
import { append, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { fates, isPowerOff } from "./fates.ts"
import { directory, prefixOf, withStore } from "./support.ts"

/** Small enough that the run goes through several segments. */
const options = { directory, segmentBytes: 4096 }

const batches: ReadonlyArray<WriteBatch> = [
  vote(1, "n1"),
  append(block(1, 1, 3)),
  append(block(4, 1, 2, 900)),
  truncate(5, block(5, 2)),
  vote(3, "n2", block(6, 3, 1, 1500)),
  append(block(7, 3, 1, 5000)),
  truncate(6),
  append(block(6, 4, 2, 300)),
  append(block(8, 4, 1, 1500)),
  append(block(9, 4, 1, 1500))
]

/** How many batches a node relies on: those that `write` acknowledged, and those that it read back. */
interface Progress {
  acknowledged: number
}

const writeRest = (progress: Progress) => (store: LogStore) =>
  Effect.gen(function* () {
    const prefix = prefixOf(batches, store)
    assert.isAtLeast(prefix, progress.acknowledged, "an acknowledged batch is missing")
    progress.acknowledged = prefix
    for (const [position, batch] of batches.entries()) {
      if (position < prefix) continue
      yield* store.write(batch)
      progress.acknowledged = position + 1
    }
  })

const run = (files: MemoryLogFileSystem.MemoryLogFileSystem, progress: Progress) =>
  withStore(files.layer, writeRest(progress), options)

const countOperations = Effect.gen(function* () {
  const files = MemoryLogFileSystem.make()
  yield* run(files, { acknowledged: 0 })
  return files.operations()
})

describe("B15: a power failure at any operation", () => {
  for (const [name, fate] of fates) {
    it.effect(`loses no acknowledged batch: ${name}`, () =>
      Effect.gen(function* () {
        const operations = yield* countOperations
        assert.isAtLeast(operations, 40)
        for (let at = 0; at < operations; at++) {
          const files = MemoryLogFileSystem.make()
          const progress = { acknowledged: 0 }
          files.powerOffAfter(at)
          yield* Effect.catchIf(run(files, progress), isPowerOff, () => Effect.void)
          files.restart(fate)
          yield* run(files, progress)
          assert.strictEqual(progress.acknowledged, batches.length, `operation ${at}`)
          files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
          const prefix = yield* withStore(
            files.layer,
            (store) => Effect.sync(() => prefixOf(batches, store)),
            options
          )
          assert.strictEqual(prefix, batches.length, `operation ${at}`)
        }
      })
    )

    it.effect(`and another at any operation of the recovery: ${name}`, () =>
      Effect.gen(function* () {
        const operations = yield* countOperations
        for (let at = 3; at < operations; at += 3) {
          for (let again = 0; again < 6; again++) {
            const files = MemoryLogFileSystem.make()
            const progress = { acknowledged: 0 }
            files.powerOffAfter(at)
            yield* Effect.catchIf(run(files, progress), isPowerOff, () => Effect.void)
            files.restart(fate)
            files.powerOffAfter(again)
            yield* Effect.catchIf(run(files, progress), isPowerOff, () => Effect.void)
            files.restart(fate)
            yield* run(files, progress)
            assert.strictEqual(progress.acknowledged, batches.length, `operations ${at} and ${again}`)
          }
        }
      })
    )
  }
})
