/**
 * A write that was cut short is cut off and reported; damage anywhere else is found and nothing is
 * changed. Every byte of a small log is tried.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { StorageError, WriteBatch } from "@effect-raft/core/RaftStorage"
import { append, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import { directory, prefixOf, segmentBytes, withStore, writeAll } from "./support.ts"

const segment = "00000001.wal"
const headerBytes = 512

const batches = [
  vote(1, "n1"),
  append(block(1, 1, 3, 200)),
  truncate(3, block(3, 2, 2)),
  append(block(5, 2, 1, 1300))
]

interface WrittenLog {
  readonly files: MemoryLogFileSystem.MemoryLogFileSystem
  readonly bytes: Uint8Array
  /** Where each batch begins, and where the last ends. */
  readonly boundaries: ReadonlyArray<number>
}

const usedBytes = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1

/** Writes the batches; then the process dies, or closes the store. */
const writeLog = (end: "Killed" | "Closed"): Effect.Effect<WrittenLog, StorageError> =>
  Effect.gen(function* () {
    const files = MemoryLogFileSystem.make()
    const boundaries = [headerBytes]
    yield* withStore(files.layer, (store) =>
      Effect.gen(function* () {
        for (const batch of batches) {
          yield* store.write(batch)
          boundaries.push(usedBytes(files.bytesOf(directory, segment)))
        }
        if (end === "Killed") files.kill()
      })
    )
    return { files, bytes: files.bytesOf(directory, segment).slice(), boundaries }
  })

interface Found {
  readonly prefix: number
  readonly notes: ReadonlyArray<string>
}

/** Opens the store on these bytes, and says how many of the batches are there. */
const openOn = (
  files: MemoryLogFileSystem.MemoryLogFileSystem,
  bytes: Uint8Array,
  written: ReadonlyArray<WriteBatch> = batches
) => {
  files.replace(directory, segment, bytes)
  return Effect.result(
    withStore(files.layer, (store): Effect.Effect<Found> => {
      const found = { prefix: prefixOf(written, store), notes: store.recovered.notes }
      return Effect.sync(() => {
        files.kill()
        return found
      })
    })
  )
}

const withZeros = (bytes: Uint8Array, from: number, to: number): Uint8Array => bytes.slice().fill(0, from, to)

const flipped = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << bit)
  return copy
}

describe("B16: a last record that was cut short", () => {
  it.effect("at any byte is cut off, reported, and written over", () =>
    Effect.gen(function* () {
      const { boundaries, bytes, files } = yield* writeLog("Killed")
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      for (let cut = start; cut < end; cut++) {
        const found = yield* openOn(files, withZeros(bytes, cut, end))
        if (Result.isFailure(found)) return assert.fail(`cut at ${cut - start}: ${found.failure.message}`)
        assert.strictEqual(found.success.prefix, 3, `cut at ${cut - start}`)
        assert.strictEqual(found.success.notes.length, cut === start ? 0 : 1)
        assert.isTrue(
          files
            .bytesOf(directory, segment)
            .subarray(start)
            .every((byte) => byte === 0)
        )
        yield* withStore(files.layer, (store) => store.write(batches[3]!))
        const prefix = yield* withStore(files.layer, (store) => Effect.sync(() => prefixOf(batches, store)))
        assert.strictEqual(prefix, 4)
      }
    })
  )

  it.effect("in any order of its sectors is cut off", () =>
    Effect.gen(function* () {
      const { boundaries, bytes, files } = yield* writeLog("Killed")
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      const first = Math.floor(start / 512)
      const sectors = Math.ceil(end / 512) - first
      for (let subset = 0; subset < 2 ** sectors - 1; subset++) {
        const torn = bytes.slice()
        for (let sector = 0; sector < sectors; sector++) {
          if ((subset & (1 << sector)) !== 0) continue
          torn.fill(0, Math.max(start, (first + sector) * 512), Math.min(end, (first + sector + 1) * 512))
        }
        const found = yield* openOn(files, torn)
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `sectors ${subset.toString(2)}`)
      }
    })
  )

  it.effect("is cut off although the recovery before was cut short while it cleared it away", () =>
    Effect.gen(function* () {
      const { boundaries, bytes, files } = yield* writeLog("Killed")
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      const torn = withZeros(bytes, end - 100, end)
      for (let cleared = start; cleared < end; cleared++) {
        const found = yield* openOn(files, withZeros(torn, start, cleared))
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `cleared ${cleared - start}`)
      }
    })
  )
})

describe("B16: damage", () => {
  it.effect("of an earlier record names file and offset, and changes nothing", () =>
    Effect.gen(function* () {
      const { boundaries, bytes, files } = yield* writeLog("Killed")
      for (let record = 0; record < 3; record++) {
        const damaged = withZeros(bytes, boundaries[record]! + 8, boundaries[record + 1]!)
        const found = yield* openOn(files, damaged)
        assert.isTrue(Result.isFailure(found))
        if (Result.isSuccess(found)) return
        assert.deepInclude(found.failure.reason, {
          _tag: "DamagedStore",
          location: `${directory}/${segment}`,
          offset: boundaries[record]!
        })
        assert.deepStrictEqual(files.bytesOf(directory, segment), damaged)
      }
    })
  )

  it.effect("of one bit, in any byte, loses nothing silently after a crash", () => expectNoBitLost("Killed"))

  it.effect("of one bit, in any byte, loses nothing silently after an orderly close", () =>
    expectNoBitLost("Closed")
  )

  it.effect("of the last batch is found after an orderly close, even as zeros", () =>
    Effect.gen(function* () {
      const { boundaries, bytes, files } = yield* writeLog("Closed")
      const found = yield* openOn(files, withZeros(bytes, boundaries[3]!, boundaries[4]!))
      assert.isTrue(Result.isFailure(found) && found.failure.reason._tag === "DamagedStore")
    })
  )

  it.effect("is what a copy of an earlier record after the last one is", () =>
    Effect.gen(function* () {
      const { boundaries, bytes, files } = yield* writeLog("Killed")
      for (const end of [boundaries[1]!, boundaries[1]! - 8]) {
        const copied = bytes.slice()
        copied.set(bytes.subarray(boundaries[0], end), boundaries[4])
        const found = yield* openOn(files, copied)
        assert.isTrue(Result.isFailure(found) && found.failure.reason._tag === "DamagedStore")
      }
    })
  )

  it.effect("is found in every segment but the last wherever it is", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const many = Array.from({ length: 40 }, (_, position) => append(block(position + 1, 1, 1, 1000)))
      yield* withStore(files.layer, (store) => writeAll(store, many))
      const bytes = files.bytesOf(directory, segment).slice()
      const sealBytes = 72
      for (let at = 0; at < usedBytes(bytes) - sealBytes; at += 13) {
        const found = yield* openOn(files, flipped(bytes, at, 3), many)
        const isSafe = Result.isSuccess(found)
          ? found.success.prefix === many.length
          : found.failure.reason._tag === "DamagedStore"
        assert.isTrue(isSafe, `byte ${at}`)
      }
    })
  )
})

/** Either the store opens with every batch, or it does not open. */
const expectNoBitLost = (end: "Killed" | "Closed") =>
  Effect.gen(function* () {
    const { bytes, files } = yield* writeLog(end)
    const used = usedBytes(bytes)
    let detected = 0
    for (let at = 0; at < used + 64; at++) {
      const found = yield* openOn(files, flipped(bytes, at, at % 8))
      if (Result.isSuccess(found))
        assert.strictEqual(found.success.prefix, batches.length, `byte ${at} of ${used}`)
      else {
        detected++
        assert.strictEqual(found.failure.reason._tag, "DamagedStore")
      }
    }
    assert.isAtLeast(detected, used - 80)
    assert.isAtMost(used, segmentBytes)
  })
