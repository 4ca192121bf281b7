/**
 * A write that was cut short is cut off and reported; damage anywhere else is found and nothing is
 * changed. Every byte of a small log is tried, in a file that was zeros before and in one that was a segment.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { StorageError, WriteBatch } from "@effect-raft/core/RaftStorage"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, beginAfter, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as BatchRecord from "@effect-raft/storage-file/BatchRecord"
import * as FormerSectors from "@effect-raft/storage-file/FormerSectors"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SegmentLayout from "@effect-raft/storage-file/SegmentLayout"
import * as SegmentScan from "@effect-raft/storage-file/SegmentScan"
import * as StampedSectors from "@effect-raft/storage-file/StampedSectors"
import {
  directory,
  endOf,
  headerOf,
  isOverFormer,
  lastSegment,
  prefixOf,
  segmentBytes,
  withStore
} from "./support.ts"

const { sectorBytes } = StampedSectors

interface WrittenLog {
  readonly files: MemoryLogFileSystem.MemoryLogFileSystem
  readonly segment: string
  /** The last segment as it is now, and as it was before these batches. */
  readonly bytes: Uint8Array
  readonly former: Uint8Array
  /** Where in the file each batch begins, and where the last ends. */
  readonly boundaries: ReadonlyArray<number>
  /** Where the last write ended: since format 4 that is with a sector. */
  readonly writtenEnd: number
  /** All that was written, and how much of it before these batches. */
  readonly written: ReadonlyArray<WriteBatch>
  readonly prepared: number
}

type End = "Killed" | "Closed"

/** What was in the file of the last segment before it became that. */
interface Ground {
  readonly name: string
  /** Writes the batches to be damaged; then the process dies, or closes the store. */
  readonly write: (end: End) => Effect.Effect<WrittenLog, StorageError>
  /**
   * How finely a write into it may be torn. Disks tear sectors; over zeros each byte could be told before format 4.
   */
  readonly tornBytes: number
}

/** What the tests damage, behind the entries up to `last`. */
const batchesAfter = (last: number): ReadonlyArray<WriteBatch> => [
  vote(1, "n1"),
  append(block(last + 1, 1, 3, 200)),
  truncate(last + 3, block(last + 3, 2, 2)),
  append(block(last + 5, 2, 1, 1700))
]

const small = (index: number): WriteBatch => {
  const base = index % 20 === 0 ? beginAfter(index - 2, 1) : undefined
  return { ...base, ...append(block(index, 1, 1, 300)) }
}

const boundariesOf = (name: string, former: Uint8Array, batches: ReadonlyArray<WriteBatch>) => {
  const positions = [endOf(name, former)]
  for (const batch of batches) positions.push(positions.at(-1)! + BatchRecord.sizeOf(batch))
  const header = headerOf(name, former)
  return positions.map((position) => SegmentLayout.offsetOf(header, position))
}

/** Writes in the present format, at first until the last segment is of the kind that is wanted. */
const writer =
  (isReady: (files: MemoryLogFileSystem.MemoryLogFileSystem) => boolean): Ground["write"] =>
  (end) =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const log = yield* withStore(files.layer, (store) =>
        Effect.gen(function* () {
          const written: Array<WriteBatch> = []
          while (!isReady(files)) {
            assert.isBelow(written.length, 1000)
            written.push(small(written.length + 1))
            yield* writeAll(store, written.slice(-1))
          }
          const batches = batchesAfter(written.length)
          const segment = lastSegment(files).name
          const former = lastSegment(files).bytes.slice()
          yield* writeAll(store, batches)
          if (end === "Killed") files.kill()
          const boundaries = boundariesOf(segment, former, batches)
          const writtenEnd = Math.ceil(boundaries.at(-1)! / sectorBytes) * sectorBytes
          return {
            segment,
            former,
            boundaries,
            writtenEnd,
            written: [...written, ...batches],
            prepared: written.length
          }
        })
      )
      return { ...log, files, bytes: files.bytesOf(directory, log.segment).slice() }
    })

/** A log that the program wrote which had format 3, in `fixtures`. */
const written =
  (fixture: string, prepared: number): Ground["write"] =>
  (end) =>
    Effect.sync(() => {
      const at = fileURLToPath(new URL(`./fixtures/format-3/${fixture}`, import.meta.url))
      const read = (name: string): Uint8Array => new Uint8Array(readFileSync(join(at, name)))
      const names = readdirSync(at)
      const segment = names.find((name) => name.endsWith(".before"))!.slice(0, -".before".length)
      const files = MemoryLogFileSystem.make()
      for (const name of names.filter((one) => /\.(wal|snapshot)$/.test(one)))
        files.replace(directory, name, read(name))
      const former = read(`${segment}.before`)
      const bytes = read(`${segment}.${end.toLowerCase()}`)
      const batches = batchesAfter(prepared)
      const before = Array.from({ length: prepared }, (_, position) => small(position + 1))
      const boundaries = boundariesOf(segment, former, batches)
      const writtenEnd = boundaries.at(-1)!
      return {
        files,
        segment,
        former,
        bytes,
        boundaries,
        writtenEnd,
        written: [...before, ...batches],
        prepared
      }
    })

const grounds: ReadonlyArray<Ground> = [
  { name: "in a file of zeros", write: writer(() => true), tornBytes: 4 },
  { name: "over a former segment", write: writer(isOverFormer), tornBytes: 4 },
  { name: "in a file of zeros, in format 3", write: written("over-zeros", 0), tornBytes: 1 },
  { name: "over a former segment, in format 3", write: written("over-former", 58), tornBytes: 4 }
]

interface Found {
  /** How many of the batches are there. */
  readonly prefix: number
  readonly notes: ReadonlyArray<string>
}

/** Opens the store on these bytes, after which there is no other segment. */
const openOn = ({ files, prepared, segment, written }: WrittenLog, bytes: Uint8Array) => {
  const later = files.namesOf(directory).filter((name) => name.endsWith(".wal") && name > segment)
  for (const name of later) files.remove(directory, name)
  files.replace(directory, segment, bytes)
  return Effect.result(
    withStore(files.layer, (store): Effect.Effect<Found> => {
      const found = { prefix: prefixOf(written, store) - prepared, notes: store.recovered.notes }
      return Effect.sync(() => {
        files.kill()
        return found
      })
    })
  )
}

const withZeros = (bytes: Uint8Array, from: number, to: number): Uint8Array => bytes.slice().fill(0, from, to)

/** These bytes never reached the disk. */
const without = ({ bytes, former }: WrittenLog, from: number, to: number): Uint8Array => {
  const torn = bytes.slice()
  torn.set(former.subarray(from, to), from)
  return torn
}

const flipped = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << bit)
  return copy
}

/**
 * Whether this byte may be there after a write was cut off that ended at `cut`: since format 4 the stamp of the
 * sector in which the record before ends, and what no disk does, a part of a sector, which counts as not
 * written.
 */
const mayStay = ({ boundaries, bytes, segment }: WrittenLog, at: number, cut: number): boolean => {
  if (headerOf(segment, bytes).version < 4) return false
  const sector = Math.floor(at / sectorBytes)
  return sector === Math.floor(boundaries[3]! / sectorBytes)
    ? at % sectorBytes >= sectorBytes - 4
    : sector === Math.floor(cut / sectorBytes)
}

describe.each(grounds)("B16: a last record that was cut short $name", (ground) => {
  it.effect("at any byte is cut off, reported, and written over", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, files, prepared, segment, writtenEnd, written } = log
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      for (let cut = start; cut < end; cut += ground.tornBytes) {
        const found = yield* openOn(log, without(log, cut, writtenEnd))
        if (Result.isFailure(found)) return assert.fail(`cut at ${cut - start}: ${found.failure.message}`)
        assert.strictEqual(found.success.prefix, 3, `cut at ${cut - start}`)
        assert.strictEqual(found.success.notes.length, cut === start ? 0 : 1)
        const left = files.bytesOf(directory, segment).subarray(start, cut)
        assert.isTrue(
          left.every((byte, at) => byte === 0 || mayStay(log, start + at, cut)),
          `cut at ${cut - start}`
        )
        yield* withStore(files.layer, (store) => store.write(written[prepared + 3]!))
        const prefix = yield* withStore(files.layer, (store) => Effect.sync(() => prefixOf(written, store)))
        assert.strictEqual(prefix, written.length)
      }
    })
  )

  it.effect("in any order of its sectors is cut off", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, bytes, former, writtenEnd } = log
      const start = boundaries[3]!
      const first = Math.floor(start / sectorBytes)
      const sectors = Math.ceil(writtenEnd / sectorBytes) - first
      assert.isAtLeast(sectors, 4)
      for (let subset = 0; subset < 2 ** sectors - 1; subset++) {
        const torn = bytes.slice()
        for (let sector = 0; sector < sectors; sector++) {
          if ((subset & (1 << sector)) !== 0) continue
          const from = Math.max(start, (first + sector) * sectorBytes)
          const to = Math.min(writtenEnd, (first + sector + 1) * sectorBytes)
          torn.set(former.subarray(from, to), from)
        }
        const found = yield* openOn(log, torn)
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `sectors ${subset.toString(2)}`)
      }
    })
  )

  it.effect("is cut off although the recovery before was cut short while it cleared it away", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const [start, end] = [log.boundaries[3]!, log.boundaries[4]!]
      const torn = without(log, end - 100, log.writtenEnd)
      for (let cleared = start; cleared < end; cleared += 4) {
        const found = yield* openOn(log, withZeros(torn, start, cleared))
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `cleared ${cleared - start}`)
      }
    })
  )

  it.effect("is cut off where another one was cut off and cleared away before", () =>
    Effect.gen(function* () {
      const log = yield* ground.write("Killed")
      const { boundaries, bytes, former } = log
      const [start, end] = [boundaries[3]!, boundaries[4]!]
      for (let cut = start; cut < end; cut += 4) {
        const torn = withZeros(former, start, Math.ceil((end + 2000) / sectorBytes) * sectorBytes)
        torn.set(bytes.subarray(0, cut))
        const found = yield* openOn(log, torn)
        assert.isTrue(Result.isSuccess(found) && found.success.prefix === 3, `cut at ${cut - start}`)
      }
    })
  )
})

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
        const { offset, parts } = SegmentLayout.makePlace()(header, [part], scanned.end)
        const copied = bytes.slice()
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
      const log = yield* written("over-former", 58)("Killed")
      const { byteLength } = log.bytes
      for (let at = FormerSectors.startOf(byteLength); at < byteLength; at += 3) {
        const found = yield* openOn(log, flipped(log.bytes, at, at % 8))
        assert.isTrue(Result.isFailure(found) && found.failure.reason._tag === "DamagedStore", `byte ${at}`)
      }
    })
  )
})

/** Either the store opens with every batch, or it does not open. */
const expectNoBitLost = (ground: Ground, end: "Killed" | "Closed") =>
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
