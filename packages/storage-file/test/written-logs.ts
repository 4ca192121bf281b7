/**
 * Small logs whose last segment the tests cut short and damage, and what a store finds that is opened on them: in a
 * file that was zeros before and in one that was a segment, in the present format and in those before it.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { StorageError, WriteBatch } from "@effect-raft/core/RaftStorage"
import { writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, beginAfter, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as BatchRecord from "@effect-raft/storage-file/BatchRecord"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SegmentLayout from "@effect-raft/storage-file/SegmentLayout"
import * as StampedSectors from "@effect-raft/storage-file/StampedSectors"
import { directory, endOf, headerOf, isOverFormer, lastSegment, prefixOf, withStore } from "./support.ts"

const { sectorBytes } = StampedSectors

export interface WrittenLog {
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

export type End = "Killed" | "Closed"

/** What was in the file of the last segment before it became that. */
export interface Ground {
  readonly name: string
  /** Writes the batches to be damaged; then the process dies, or closes the store. */
  readonly write: (end: End) => Effect.Effect<WrittenLog, StorageError>
  /**
   * How finely a write into it may be torn. Disks tear sectors; over zeros each byte could be told before format
   * 4.
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

/** A log that an earlier program wrote, in `fixtures`. */
export const written =
  (format: number, fixture: string, prepared: number): Ground["write"] =>
  (end) =>
    Effect.sync(() => {
      const at = fileURLToPath(new URL(`./fixtures/format-${format}/${fixture}`, import.meta.url))
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
      const last = boundaries.at(-1)!
      const writtenEnd = format < 4 ? last : Math.ceil(last / sectorBytes) * sectorBytes
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

export const grounds: ReadonlyArray<Ground> = [
  { name: "in a file of zeros", write: writer(() => true), tornBytes: 4 },
  { name: "over a former segment", write: writer(isOverFormer), tornBytes: 4 },
  { name: "in a file of zeros, in format 3", write: written(3, "over-zeros", 0), tornBytes: 1 },
  { name: "over a former segment, in format 3", write: written(3, "over-former", 58), tornBytes: 4 },
  { name: "in a file of zeros, in format 4", write: written(4, "over-zeros", 0), tornBytes: 4 },
  { name: "over a former segment, in format 4", write: written(4, "over-former", 56), tornBytes: 4 }
]

export interface Found {
  /** How many of the batches are there. */
  readonly prefix: number
  readonly notes: ReadonlyArray<string>
}

/** Opens the store on these bytes, after which there is no other segment. */
export const openOn = ({ files, prepared, segment, written }: WrittenLog, bytes: Uint8Array) => {
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

export const withZeros = (bytes: Uint8Array, from: number, to: number): Uint8Array =>
  bytes.slice().fill(0, from, to)

/** These bytes never reached the disk. */
export const without = ({ bytes, former }: WrittenLog, from: number, to: number): Uint8Array => {
  const torn = bytes.slice()
  torn.set(former.subarray(from, to), from)
  return torn
}

export const flipped = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << bit)
  return copy
}
