/**
 * Damage in what was acknowledged is found, and nothing is changed. Every byte of a small log is tried, in a file
 * that was zeros before and in one that was a segment.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
import * as BatchRecord from "@effect-raft/storage-file/BatchRecord"
import * as FormerSectors from "@effect-raft/storage-file/FormerSectors"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SegmentLayout from "@effect-raft/storage-file/SegmentLayout"
import * as SegmentScan from "@effect-raft/storage-file/SegmentScan"
import { directory, headerOf, segmentBytes, withStore } from "./support.ts"
import { flipped, grounds, openOn, without, withZeros, written } from "./written-logs.ts"
import type { End, Ground } from "./written-logs.ts"

describe.each(grounds)("B16: damage $name", (ground) => {
  it.effect("of an earlier record names file and offset, and changes nothing", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, bytes, files, segment } = log
      for (let record = 0; record < 3; record++) {
        const damaged = withZeros(bytes, boundaries[record]! + 8, boundaries[record + 1]!)
        const found = yield* openOn(log, damaged)
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

  it.effect("of one bit, in any byte, loses nothing silently after a crash", () =>
    expectNoBitLost(ground, "Killed")
  )

  it.effect("of one bit, in any byte, loses nothing silently after an orderly close", () =>
    expectNoBitLost(ground, "Closed")
  )

  it.effect("of the last batch is found after an orderly close, even if nothing of it is left", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Closed")
      const [start, end] = [log.boundaries[3]!, log.boundaries[4]!]
      for (const bytes of [withZeros(log.bytes, start, end), without(log, start, end)]) {
        const found = yield* openOn(log, bytes)
        assert.isTrue(Result.isFailure(found) && found.failure.reason._tag === "DamagedStore")
      }
    })
  )

  it.effect("is what a copy of an earlier record after the last one is", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { bytes, segment } = log
      const header = headerOf(segment, bytes)
      const { records } = SegmentLayout.contentsOf(header, bytes.slice())
      const scanned = SegmentScan.scan(records, header)
      const [first, second] = scanned.records.slice(-4)
      for (const end of [second!.at, second!.at - 8]) {
        const part = records.slice(first!.at, end)
        const copied = bytes.slice()
        for (const { offset, parts } of SegmentLayout.makePlace()(header, [part], scanned.end))
          copied.set(parts[0]!, offset)
        const found = yield* openOn(log, copied)
        assert.isTrue(Result.isFailure(found) && found.failure.reason._tag === "DamagedStore")
      }
    })
  )
})

describe("B16: damage", () => {
  it.effect("is found in every segment but the last wherever it is", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const many = Array.from({ length: 40 }, (_, position) => append(block(position + 1, 1, 1, 1000)))
      yield* withStore(files.layer, (store) => writeAll(store, many))
      const segment = "00000001.wal"
      const bytes = files.bytesOf(directory, segment).slice()
      const log = {
        files,
        segment,
        bytes,
        former: bytes,
        boundaries: [],
        writtenEnd: 0,
        written: many,
        prepared: 0
      }
      const sealBytes = 72
      const used = bytes.findLastIndex((byte) => byte !== 0) + 1
      for (let at = 0; at < used - sealBytes; at += 13) {
        const found = yield* openOn(log, flipped(bytes, at, 3))
        const isSafe = Result.isSuccess(found)
          ? found.success.prefix === many.length
          : found.failure.reason._tag === "DamagedStore"
        assert.isTrue(isSafe, `byte ${at}`)
      }
    })
  )

  it.effect("of the sums of a former segment, in format 3, is found", () =>
    Effect.gen(function* () {
      const log = yield* written(3, "over-former", 58)("Killed")
      const { byteLength } = log.bytes
      for (let at = FormerSectors.startOf(byteLength); at < byteLength; at += 3) {
        const found = yield* openOn(log, flipped(log.bytes, at, at % 8))
        assert.isTrue(Result.isFailure(found) && found.failure.reason._tag === "DamagedStore", `byte ${at}`)
      }
    })
  )
})

/** Either the store opens with every batch, or it does not open. */
const expectNoBitLost = (ground: Ground, end: End) =>
  Effect.gen(function* () {
    const log = yield* ground.write(end)
    const used = log.boundaries[4]! + (end === "Closed" ? BatchRecord.emptyRecordBytes : 0)
    let detected = 0
    for (let at = 0; at < used + 64; at++) {
      const found = yield* openOn(log, flipped(log.bytes, at, at % 8))
      if (Result.isSuccess(found)) assert.strictEqual(found.success.prefix, 4, `byte ${at} of ${used}`)
      else {
        detected++
        assert.strictEqual(found.failure.reason._tag, "DamagedStore")
      }
    }
    assert.isAtLeast(detected, used - 80)
    assert.isAtMost(used, segmentBytes)
  })
