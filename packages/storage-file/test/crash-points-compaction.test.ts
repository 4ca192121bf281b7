/**
 * The power fails at every single operation of a run that takes snapshots and lets the log begin after
 * them. Whatever is lost, kept or torn: every acknowledged batch and snapshot is there, the log never
 * begins after what the newest snapshot covers, and nothing comes back that was removed.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LogStore, WriteBatch } from "@effect-raft/core/RaftStorage"
import { snapshotOf } from "@effect-raft/core/testing/StorageContractKit"
import type { Snapshot } from "@effect-raft/core/testing/StorageContractKit"
import { append, beginAfter, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { fates, isPowerOff } from "./fates.ts"
import { directory, expectSnapshot, isOverFormer, prefixOf, withStore } from "./support.ts"

/** Small enough that the log goes through several segments, and a snapshot has several chunks. */
const options = { directory, segmentBytes: 4096, snapshotChunkBytes: 512 }

const large = { sizeBytes: 1300 }

type Steps = ReadonlyArray<WriteBatch | Snapshot>

const withSnapshots: Steps = [
  vote(1, "n1", block(1, 1, 2, 1400)),
  append(block(3, 1, 2, 1400)),
  snapshotOf(3, large),
  beginAfter(2, 1, block(5, 1, 1, 1400)),
  truncate(5, block(5, 2, 2, 1300)),
  vote(3, "n2"),
  snapshotOf(6, { ...large, term: 2 }),
  beginAfter(6, 2, block(7, 3, 2, 900)),
  snapshotOf(40, { sizeBytes: 20, term: 4, id: "received" }),
  beginAfter(40, 4),
  append(block(41, 4, 3, 800)),
  truncate(42, block(42, 5)),
  snapshotOf(42, { sizeBytes: 0, term: 5 }),
  beginAfter(42, 5)
]

/** Records of one size, so that those of a segment lie where those of the former one did. */
const overFormer: Steps = Array.from({ length: 17 }, (_, position) => position + 1).flatMap((index) => {
  const entry = append(block(index, 1, 1, 1300))
  return index % 4 === 0 ? [entry, snapshotOf(index), beginAfter(index - 1, 1)] : [entry]
})

const isBatch = (step: WriteBatch | Snapshot): step is WriteBatch => "blocks" in step

interface Script {
  readonly name: string
  readonly steps: Steps
  readonly batches: ReadonlyArray<WriteBatch>
  readonly snapshots: ReadonlyArray<Snapshot>
}

const scriptOf = (name: string, steps: Steps): Script => ({
  name,
  steps,
  batches: steps.filter(isBatch),
  snapshots: steps.flatMap((step) => (isBatch(step) ? [] : [step]))
})

const scripts = [scriptOf("with snapshots", withSnapshots), scriptOf("over former segments", overFormer)]

/** What a node relies on: what was acknowledged, and what it read back. */
interface Progress {
  readonly script: Script
  batches: number
  snapshots: number
}

const nothing = (script: Script): Progress => ({ script, batches: 0, snapshots: 0 })

/** Checks what was recovered against what was acknowledged. */
const expectRecovered = Effect.fnUntraced(function* (store: LogStore, progress: Progress) {
  const { base, snapshot } = store.recovered
  const { batches, snapshots } = progress.script
  const prefix = prefixOf(batches, store)
  assert.isAtLeast(prefix, progress.batches, "an acknowledged batch is missing")
  const taken = snapshots.findIndex(({ meta }) => meta.id === snapshot?.id) + 1
  assert.isAtLeast(taken, progress.snapshots, "an acknowledged snapshot is missing")
  assert.isAtMost(base.index, snapshot?.lastIndex ?? 0, "the log begins after the newest snapshot")
  if (taken > 0) yield* expectSnapshot(store, snapshots[taken - 1]!)
  progress.batches = prefix
  progress.snapshots = taken
})

const takeSnapshot = (store: LogStore, { bytes, meta }: Snapshot) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* store.snapshots.writer({ meta, purpose: "Receive", resume: true })
      for (let at = writer.offset(); at < bytes.byteLength; at += 500) {
        yield* writer.write(bytes.subarray(at, at + 500))
      }
      yield* writer.commit
    })
  )

const goOn = (progress: Progress) => (store: LogStore) =>
  Effect.gen(function* () {
    yield* expectRecovered(store, progress)
    let [written, taken] = [0, 0]
    for (const step of progress.script.steps) {
      if (isBatch(step)) {
        if (++written <= progress.batches) continue
        yield* store.write(step)
        progress.batches = written
      } else {
        if (++taken <= progress.snapshots) continue
        yield* takeSnapshot(store, step)
        progress.snapshots = taken
      }
    }
  })

const run = (files: MemoryLogFileSystem.MemoryLogFileSystem, progress: Progress) =>
  withStore(files.layer, goOn(progress), options)

const countOperations = Effect.fnUntraced(function* (script: Script) {
  const files = MemoryLogFileSystem.make()
  yield* run(files, nothing(script))
  return files.operations()
})

const runUntilPowerFails = (
  files: MemoryLogFileSystem.MemoryLogFileSystem,
  progress: Progress,
  at: number
) => {
  files.powerOffAfter(at)
  return Effect.catchIf(run(files, progress), isPowerOff, () => Effect.void)
}

describe.each(scripts)("B15: a power failure at any operation of a run $name", (script) => {
  for (const [name, fate] of fates) {
    it.effect(`loses nothing that was acknowledged: ${name}`, () =>
      Effect.gen(function* () {
        const operations = yield* countOperations(script)
        assert.isAtLeast(operations, 100)
        for (let at = 0; at < operations; at++) {
          const files = MemoryLogFileSystem.make()
          const progress = nothing(script)
          yield* runUntilPowerFails(files, progress, at)
          files.restart(fate)
          yield* run(files, progress)
          files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
          yield* withStore(files.layer, (store) => expectRecovered(store, progress), options)
          assert.strictEqual(progress.batches, script.batches.length, `operation ${at}`)
          assert.strictEqual(progress.snapshots, script.snapshots.length, `operation ${at}`)
        }
      })
    )

    it.effect(`nor does another at an operation of the recovery: ${name}`, () =>
      Effect.gen(function* () {
        const operations = yield* countOperations(script)
        for (let at = 3; at < operations; at += 7) {
          for (let again = 0; again < 8; again++) {
            const files = MemoryLogFileSystem.make()
            const progress = nothing(script)
            yield* runUntilPowerFails(files, progress, at)
            files.restart(fate)
            yield* runUntilPowerFails(files, progress, again)
            files.restart(fate)
            yield* run(files, progress)
            assert.strictEqual(progress.batches, script.batches.length, `operations ${at} and ${again}`)
          }
        }
      })
    )
  }

  it.effect("leaves no file behind that is not needed", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* run(files, nothing(script))
      yield* withStore(files.layer, () => Effect.void, options)
      // Segments that wait to be written over are needed.
      const names = files.namesOf(directory).filter((name) => !name.endsWith(".old"))
      assert.strictEqual(names.filter((name) => name.endsWith(".snapshot")).length, 1)
      assert.isAtMost(names.length, 3, names.join(" "))
    })
  )
})

describe("the run over former segments", () => {
  it.effect("ends in a file that was one, and not zeros", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* run(files, nothing(scripts[1]!))
      assert.isTrue(isOverFormer(files))
    })
  )
})
