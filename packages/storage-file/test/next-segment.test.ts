/**
 * The turn from one segment to the next: the next one has its name ahead of its time, it is begun with one write
 * and one flush, and the full one is sealed after that. Wherever the machine stops in between, the log is what it
 * was.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { LogStore, StorageError, WriteBatch } from "@effect-raft/core/RaftStorage"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
import { inspect } from "@effect-raft/storage-file/Inspect"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { offsetOf } from "@effect-raft/storage-file/StampedSectors"
import { directory, prefixOf, scanOf, withStore } from "./support.ts"
import { watched } from "./watched-files.ts"

type Files = MemoryLogFileSystem.MemoryLogFileSystem

const options = { directory, segmentBytes: 4096 }

/** Entries of a kilobyte, of which three fit into a segment. */
const thirty = Array.from({ length: 30 }, (_, position) => append(block(position + 1, 1, 1, 1000)))

const isEmpty = (files: Files, name: string): boolean =>
  scanOf(name, files.bytesOf(directory, name)).opening === undefined

/** Writes these batches; then the process dies. */
const writeAndDie = (files: Files, batches: ReadonlyArray<WriteBatch>, layer = files.layer) =>
  withStore(layer, (store) => Effect.andThen(writeAll(store, batches), Effect.sync(files.kill)), options)

/** How many of these batches a store has that is opened, and what it says of it. */
const found = (files: Files, batches = thirty) =>
  withStore(
    files.layer,
    (store) =>
      Effect.sync(() => {
        const state = { prefix: prefixOf(batches, store), notes: store.recovered.notes }
        files.kill()
        return state
      }),
    options
  )

describe("the next segment", () => {
  it.effect("has its name before it is needed, so that a write waits for no file", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(
        files.layer,
        (store) =>
          Effect.gen(function* () {
            yield* writeAll(store, thirty.slice(0, 1))
            assert.deepStrictEqual(files.namesOf(directory), ["00000001.wal"])
            yield* writeAll(store, thirty.slice(1, 2))
            assert.deepStrictEqual(files.namesOf(directory), ["00000001.wal", "00000002.wal"])
            yield* writeAll(store, thirty.slice(2, 6))
            assert.isTrue(isEmpty(files, "00000002.wal"))
            yield* writeAll(store, thirty.slice(6, 7))
            assert.isFalse(isEmpty(files, "00000002.wal"))
            assert.deepStrictEqual(files.namesOf(directory), ["00000001.wal", "00000002.wal"])
          }),
        // A quarter of it is full with the second entry, all of it with the seventh.
        { directory, segmentBytes: 8192 }
      )
    })
  )

  it.effect("is made larger where a batch needs it", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const batches = [...thirty.slice(0, 2), append(block(3, 1, 1, 9000)), append(block(4, 1))]
      yield* withStore(files.layer, (store) => writeAll(store, batches), options)
      const { prefix } = yield* found(files, batches)
      assert.strictEqual(prefix, 4)
    })
  )

  /** While it is made ahead of its time, the disk refuses one step of that. */
  const refusing = (
    step: number,
    then: (store: LogStore, files: Files) => Effect.Effect<void, StorageError>
  ): Effect.Effect<number, StorageError> =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(
        files.layer,
        (store) =>
          Effect.gen(function* () {
            // The first batch is written and flushed.
            files.failAfter(2 + step, "ENOSPC")
            yield* writeAll(store, thirty.slice(0, 3))
            files.mend()
            yield* then(store, files)
          }),
        options
      )
      return (yield* found(files)).prefix
    })

  it.effect.each([
    { step: 0, what: "its file" },
    { step: 1, what: "its header" }
  ])("is made when it is needed where the disk was too full for $what, and has room by then", ({ step }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* refusing(step, (store) => writeAll(store, thirty.slice(3))), 30)
    })
  )

  const fails = (store: LogStore) =>
    Effect.map(Effect.result(writeAll(store, thirty.slice(3, 4))), (result) =>
      assert.include(Result.isFailure(result) ? result.failure.message : "", "the disk is full")
    )

  it.effect("fails the write that needs it where the disk is full then, too, and loses nothing", () =>
    Effect.gen(function* () {
      const prefix = yield* refusing(0, (store, files) => {
        files.failAfter(0, "ENOSPC")
        return fails(store)
      })
      assert.strictEqual(prefix, 3)
    })
  )

  it.effect.each([
    { step: 2, what: "flush" },
    { step: 3, what: "new name" },
    { step: 4, what: "flush of the directory" }
  ])("fails it where its $what has failed: that is not tried again", ({ step }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* refusing(step, fails), 3)
    })
  )

  it.effect("is begun with one write and one flush, and only then the full one is sealed", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const operations: Array<string> = []
      const turn = yield* withStore(
        watched(files, operations),
        (store) =>
          Effect.gen(function* () {
            yield* writeAll(store, thirty.slice(0, 3))
            const before = operations.length
            yield* writeAll(store, thirty.slice(3, 4))
            return operations.slice(before)
          }),
        options
      )
      assert.deepStrictEqual(turn, [
        "write 00000002.wal",
        "flush 00000002.wal",
        "write 00000001.wal",
        "flush 00000001.wal"
      ])
    })
  )

  it.effect("that is empty when the node starts is made anew from its file", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* writeAndDie(files, thirty.slice(0, 3))
      assert.isTrue(isEmpty(files, "00000002.wal"))
      assert.deepStrictEqual(yield* found(files), { prefix: 3, notes: [] })
      assert.deepStrictEqual(files.namesOf(directory).toSorted(), ["00000001.wal", "00000002.wal.old"])
      yield* withStore(files.layer, (store) => writeAll(store, thirty.slice(3)), options)
      assert.strictEqual((yield* found(files)).prefix, 30)
    })
  )
})

describe("a log whose next segment was begun", () => {
  /** As it was when the third batch was there, and with the fourth, which went into the second segment. */
  const turned = Effect.gen(function* () {
    const files = MemoryLogFileSystem.make()
    return yield* withStore(
      files.layer,
      (store) =>
        Effect.gen(function* () {
          yield* writeAll(store, thirty.slice(0, 3))
          const copy = (name: string) => files.bytesOf(directory, name).slice()
          const before = [copy("00000001.wal"), copy("00000002.wal")] as const
          yield* writeAll(store, thirty.slice(3, 4))
          const after = [copy("00000001.wal"), copy("00000002.wal")] as const
          files.kill()
          return { before, after }
        }),
      options
    )
  })

  /** A store with these segments. */
  const filesOf = (first: Uint8Array, second: Uint8Array): Files => {
    const files = MemoryLogFileSystem.make()
    files.replace(directory, "00000001.wal", first.slice())
    files.replace(directory, "00000002.wal", second.slice())
    return files
  }

  it.effect("ends with the segment before it where its first write was cut short, at any word", () =>
    Effect.gen(function* () {
      const { after, before } = yield* turned
      const scan = scanOf("00000002.wal", after[1])
      const end = offsetOf(scan.end)
      // Up to here it is whole, as a record is: all of the opening, and nothing of the batch.
      const openingEnd = offsetOf(scan.records[0]!.at)
      for (let cut = 516; cut < end; cut += 4) {
        const torn = before[1].slice()
        torn.set(after[1].subarray(0, cut))
        const files = filesOf(before[0], torn)
        const isOpeningThere = !isEmpty(files, "00000002.wal")
        const report = yield* inspect(directory).pipe(Effect.provide(files.layer))
        assert.strictEqual(report.verdict._tag, cut === openingEnd ? "Sound" : "TornTail", `cut at ${cut}`)
        const { notes, prefix } = yield* found(files)
        assert.strictEqual(prefix, 3, `cut at ${cut}`)
        assert.strictEqual(notes.length, cut === openingEnd ? 0 : 1, `cut at ${cut}`)
        assert.strictEqual(files.namesOf(directory).includes("00000002.wal"), isOpeningThere)
        yield* withStore(files.layer, (store) => writeAll(store, thirty.slice(3, 9)), options)
        assert.strictEqual((yield* found(files)).prefix, 9, `cut at ${cut}`)
      }
    })
  )

  it.effect("in any order of its sectors", () =>
    Effect.gen(function* () {
      const { after, before } = yield* turned
      const end = after[1].findLastIndex((byte) => byte !== 0) + 1
      const sectors = Math.ceil(end / 512)
      assert.isAtLeast(sectors, 4)
      for (let subset = 0; subset < 2 ** (sectors - 1) - 1; subset++) {
        const torn = before[1].slice()
        for (let sector = 1; sector < sectors; sector++) {
          if ((subset & (1 << (sector - 1))) === 0) continue
          torn.set(after[1].subarray(sector * 512, (sector + 1) * 512), sector * 512)
        }
        const { notes, prefix } = yield* found(filesOf(before[0], torn))
        assert.strictEqual(prefix, 3, `sectors ${subset.toString(2)}`)
        assert.strictEqual(notes.length, subset === 0 ? 0 : 1, `sectors ${subset.toString(2)}`)
      }
    })
  )

  it.effect("loses nothing silently where one bit of its first records has changed", () =>
    Effect.gen(function* () {
      const { after, before } = yield* turned
      let detected = 0
      for (let at = 0; at < 3600; at++) {
        const [first, damaged] = [at % 2 === 0 ? after[0] : before[0], after[1].slice()]
        const byte = Math.floor(at / 2)
        damaged[byte] = damaged[byte]! ^ (1 << (byte % 8))
        const result = yield* Effect.result(found(filesOf(first, damaged)))
        if (Result.isSuccess(result)) assert.strictEqual(result.success.prefix, 4, `byte ${at}`)
        else {
          detected++
          assert.strictEqual(result.failure.reason._tag, "DamagedStore")
        }
      }
      assert.isAtLeast(detected, 3000)
    })
  )

  it.effect("is damaged where the full one is sealed and nothing is in the next", () =>
    Effect.gen(function* () {
      const { after, before } = yield* turned
      assert.isTrue(scanOf("00000001.wal", after[0]).isSealed)
      const { reason } = yield* Effect.flip(found(filesOf(after[0], before[1])))
      assert.deepInclude(reason, { _tag: "DamagedStore", location: `${directory}/00000002.wal` })
    })
  )

  it.effect("gets the seal when it is opened, if the machine has stopped before it was written", () =>
    Effect.gen(function* () {
      const { after, before } = yield* turned
      const files = filesOf(before[0], after[1])
      assert.deepStrictEqual(yield* found(files), { prefix: 4, notes: [] })
      assert.deepStrictEqual(files.bytesOf(directory, "00000001.wal"), after[0])
      files.remove(directory, "00000002.wal")
      const { message } = yield* Effect.flip(found(files))
      assert.include(message, "00000002.wal, which is missing")
    })
  )

  it.effect("has nothing that is recovered and then lost where the flush of its first write failed", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(
        files.layer,
        (store) =>
          Effect.gen(function* () {
            yield* writeAll(store, thirty.slice(0, 3))
            files.failAfter(1, "EIO")
            yield* Effect.flip(writeAll(store, thirty.slice(3, 4)))
          }),
        options
      )
      const powerFails = Effect.sync(() => files.restart({ bytes: { firstBytes: 0 }, names: "Lost" }))
      const recovered = yield* withStore(
        files.layer,
        (store) => Effect.as(powerFails, prefixOf(thirty, store)),
        options
      )
      assert.strictEqual(recovered, 4)
      assert.strictEqual((yield* found(files)).prefix, recovered)
    })
  )

  it.effect("writes no more where the seal could not be written", () =>
    Effect.gen(function* () {
      for (const operation of [2, 3]) {
        const files = MemoryLogFileSystem.make()
        yield* withStore(
          files.layer,
          (store) =>
            Effect.gen(function* () {
              yield* writeAll(store, thirty.slice(0, 3))
              files.failAfter(operation, "EIO")
              yield* writeAll(store, thirty.slice(3, 4))
              const { message } = yield* Effect.flip(writeAll(store, thirty.slice(4, 5)))
              assert.include(message, "/store/00000001.wal: the disk reports an error (EIO)")
            }),
          options
        )
        assert.strictEqual((yield* found(files)).prefix, 4)
      }
    })
  )
})
