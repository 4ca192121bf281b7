/**
 * Segments that go when a snapshot has taken their place, and the files of the first formats.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { snapshotOf, sumOf, takeSnapshot, writeAll } from "@effect-raft/core/testing/StorageContractKit"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, beginAfter, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import { directory, temporaryDirectory, withStore } from "./support.ts"

const segmentBytes = 4096
const options = { directory, segmentBytes }
/** So many needless ones wait to be written over. */
const keptSegments = 4

const segmentsOf = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  files
    .namesOf(directory)
    .filter((name) => name.endsWith(".wal"))
    .toSorted()

/** Thirty entries of a kilobyte: ten segments. */
const thirty = Array.from({ length: 30 }, (_, position) => append(block(position + 1, 1, 1, 1000)))

describe("segments", () => {
  it.effect("go when the log begins after them, and the rest is read", () =>
    Effect.gen(function* () {
      for (let index = 1; index <= 30; index++) {
        const files = MemoryLogFileSystem.make()
        const batches = [...thirty, beginAfter(index, 1), append(block(31, 1, 1, 1000))]
        yield* withStore(files.layer, (store) => writeAll(store, batches), options)
        const kept = segmentsOf(files).length
        assert.isAtMost(kept, Math.ceil((31 - index) / 3) + 2, `after ${index}`)
        const found = yield* withStore(
          files.layer,
          (store) => Effect.succeed(StorageModel.ofRecovered(store.recovered)),
          options
        )
        assert.isUndefined(StorageModel.difference(sumOf(batches), found))
      }
    })
  )

  it.effect("that are still needed are missed, and no other", () =>
    Effect.gen(function* () {
      const batches = [...thirty, beginAfter(14, 1), append(block(31, 1, 1, 1000))]
      const files = MemoryLogFileSystem.make()
      yield* withStore(files.layer, (store) => writeAll(store, batches), options)
      for (const name of segmentsOf(files)) {
        const bytes = files.bytesOf(directory, name)
        files.remove(directory, name)
        const { message, reason } = yield* Effect.flip(withStore(files.layer, () => Effect.void, options))
        assert.strictEqual(reason._tag, "DamagedStore")
        assert.include(message, name)
        files.replace(directory, name, bytes)
      }
    })
  )

  it.effect("that do not belong together are told apart by what the later says of the earlier", () =>
    Effect.gen(function* () {
      const writtenBy = (candidate: string) =>
        Effect.gen(function* () {
          const files = MemoryLogFileSystem.make()
          const batches = [vote(1, candidate, block(1, 1, 1, 1000)), ...thirty.slice(1, 9)]
          yield* withStore(files.layer, (store) => writeAll(store, batches), options)
          return files
        })
      const [one, two] = [yield* writtenBy("n1"), yield* writtenBy("n2")]
      one.replace(directory, "00000001.wal", two.bytesOf(directory, "00000001.wal"))
      const { reason } = yield* Effect.flip(withStore(one.layer, () => Effect.void, options))
      assert.deepInclude(reason, { _tag: "DamagedStore", location: `${directory}/00000002.wal` })
    })
  )

  it.effect("that should have been removed are, when some of them came back after a crash", () =>
    Effect.gen(function* () {
      for (let subset = 0; subset < 16; subset++) {
        const files = MemoryLogFileSystem.make()
        yield* withStore(files.layer, (store) => writeAll(store, thirty), options)
        const before = segmentsOf(files).slice(0, 4)
        const bytes = before.map((name) => files.bytesOf(directory, name))
        const batches = [...thirty, beginAfter(20, 1)]
        yield* withStore(files.layer, (store) => writeAll(store, batches.slice(30)), options)
        const after = segmentsOf(files)
        assert.isFalse(before.some((name) => after.includes(name)))
        for (const [position, name] of before.entries()) {
          if ((subset & (1 << position)) !== 0) files.replace(directory, name, bytes[position]!)
        }
        const found = yield* withStore(
          files.layer,
          (store) => Effect.succeed(StorageModel.ofRecovered(store.recovered)),
          options
        )
        assert.isUndefined(StorageModel.difference(sumOf(batches), found))
        assert.deepStrictEqual(segmentsOf(files), after)
      }
    })
  )

  it.effect("that cannot be removed are tried again, and the log goes on meanwhile", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(
        files.layer,
        (store) =>
          Effect.gen(function* () {
            yield* writeAll(store, thirty)
            yield* takeSnapshot(store, snapshotOf(20))
            const before = segmentsOf(files)
            files.failAfter(2, "EIO")
            yield* store.write(beginAfter(20, 1))
            assert.deepStrictEqual(segmentsOf(files), before)
            yield* writeAll(store, [append(block(31, 1, 1, 100)), beginAfter(21, 1)])
            assert.isFalse(segmentsOf(files).includes(before[6]!))
            assert.isTrue(segmentsOf(files).includes(before[7]!))
          }),
        options
      )
    })
  )

  it.effect("keep a directory small however much is written", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(
        files.layer,
        (store) =>
          Effect.gen(function* () {
            for (let index = 1; index <= 500; index++) {
              yield* store.write(append(block(index, 1, 1, 1000)))
              if (index % 10 === 0) yield* writeAll(store, [beginAfter(index - 5, 1)])
              const bytes = files
                .namesOf(directory)
                .reduce((total, name) => total + files.bytesOf(directory, name).byteLength, 0)
              assert.isAtMost(bytes, 15 * 1100 + (3 + keptSegments) * segmentBytes + 2000, `entry ${index}`)
            }
          }),
        options
      )
    })
  )
})

describe.each([1, 2])("a log of format %s", (format) => {
  const fixture = fileURLToPath(new URL(`./fixtures/format-${format}`, import.meta.url))

  /** What the program of that time wrote. */
  const batches = [
    vote(1, "n1"),
    append(block(1, 1, 3)),
    append(block(4, 1, 2, 900)),
    truncate(5, block(5, 2)),
    vote(3, "n2", block(6, 3, 1, 1500)),
    append(block(7, 3, 1, 1200)),
    truncate(6),
    append(block(6, 4, 2, 300)),
    append(block(8, 4, 1, 40))
  ]

  it.effect("is read, goes on in the present format, and is compacted", () =>
    Effect.gen(function* () {
      const copy = join(yield* temporaryDirectory, "n1")
      cpSync(fixture, copy, { recursive: true })
      const last = readFileSync(join(copy, "00000003.wal"))
      const later = [append(block(9, 5)), beginAfter(5, 2), beginAfter(9, 5)]
      for (let written = 0; written <= later.length; written++) {
        const found = yield* withStore(
          NodeLogFileSystem.layer,
          (store) =>
            Effect.as(
              writeAll(store, later.slice(written, written + 1)),
              StorageModel.ofRecovered(store.recovered)
            ),
          { directory: copy, segmentBytes }
        )
        const expected = sumOf([...batches, ...later.slice(0, written)])
        assert.isUndefined(StorageModel.difference(expected, found), `after ${written}`)
        if (written === 0)
          assert.deepStrictEqual(
            readFileSync(join(copy, "00000003.wal")).subarray(0, 512),
            last.subarray(0, 512)
          )
      }
      assert.deepStrictEqual(
        readdirSync(copy).filter((name) => name.endsWith(".wal")),
        ["00000004.wal"]
      )
      assert.strictEqual(statSync(join(copy, "00000004.wal")).size, segmentBytes)
    })
  )

  it.effect("misses its first segment", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      for (const name of ["00000002.wal", "00000003.wal"]) {
        files.replace(directory, name, readFileSync(join(fixture, name)))
      }
      const { message } = yield* Effect.flip(withStore(files.layer, () => Effect.void, options))
      assert.include(message, "00000001.wal")
    })
  )
})
