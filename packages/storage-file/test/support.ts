/** What the tests of the files have in common: an identity, temporary directories, a store to look into. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ClusterId, defaultGroup, NodeId } from "@effect-raft/core/NodeId"
import { RaftStorage } from "@effect-raft/core/RaftStorage"
import type { LogStore, StorageError, StorageIdentity, WriteBatch } from "@effect-raft/core/RaftStorage"
import type { Snapshot } from "@effect-raft/core/testing/StorageContractKit"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import type { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import type { MemoryLogFileSystem } from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SegmentHeader from "@effect-raft/storage-file/SegmentHeader"
import * as SegmentLayout from "@effect-raft/storage-file/SegmentLayout"
import * as SegmentScan from "@effect-raft/storage-file/SegmentScan"
import { sectorBytes } from "@effect-raft/storage-file/StampedSectors"

export const identity: StorageIdentity = {
  clusterId: ClusterId.make("test"),
  groupId: defaultGroup,
  nodeId: NodeId.make("n1")
}

export const segmentBytes = 16 * 1024

/** Where the tests on files in memory have their store. */
export const directory = "/store"

/** A directory on the disk that is gone with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-raft-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Opens the store for as long as `use` runs. */
export const withStore = <A, E>(
  files: Layer.Layer<LogFileSystem>,
  use: (store: LogStore) => Effect.Effect<A, E>,
  options: FileStorage.FileStorageOptions = { directory, segmentBytes }
): Effect.Effect<A, E | StorageError> =>
  RaftStorage.use((storage) => Effect.scoped(Effect.flatMap(storage.open(identity), use))).pipe(
    Effect.provide(Layer.provide(FileStorage.layer(options), files))
  )

export const writeAll = (store: LogStore, batches: ReadonlyArray<WriteBatch>) =>
  Effect.forEach(batches, (batch) => store.write(batch), { discard: true })

export const sumOf = (batches: ReadonlyArray<WriteBatch>): StorageModel.StorageModel =>
  batches.reduce(StorageModel.after, StorageModel.empty)

/** How many of `batches` make up what the store holds; -1 where no number of them does. */
export const prefixOf = (batches: ReadonlyArray<WriteBatch>, store: LogStore): number => {
  const found = StorageModel.ofRecovered(store.recovered)
  for (let length = batches.length; length >= 0; length--) {
    if (StorageModel.difference(sumOf(batches.slice(0, length)), found) === undefined) return length
  }
  return -1
}

/** Reads the newest snapshot from end to end and compares. */
export const expectSnapshot = (store: LogStore, { bytes, meta }: Snapshot) =>
  Effect.scoped(
    Effect.gen(function* () {
      const reader = yield* store.snapshots.reader
      assert.deepStrictEqual(reader?.meta, meta)
      assert.deepStrictEqual(yield* reader?.read(0, bytes.byteLength + 1) ?? Effect.undefined, bytes)
    })
  )

export const headerOf = (name: string, bytes: Uint8Array): SegmentHeader.SegmentHeader => {
  const header = SegmentHeader.decode(bytes, name)
  if ("_tag" in header) throw header
  return header
}

export const scanOf = (name: string, bytes: Uint8Array): SegmentScan.SegmentScan => {
  const header = headerOf(name, bytes)
  return SegmentScan.scan(SegmentLayout.contentsOf(header, bytes.slice()).records, header)
}

/** Where among the records of a segment the next one is due. */
export const endOf = (name: string, bytes: Uint8Array): number => scanOf(name, bytes).end

/** The last one that was begun. */
export const lastSegment = (files: MemoryLogFileSystem) => {
  const segments = files
    .namesOf(directory)
    .filter((one) => one.endsWith(".wal"))
    .toSorted()
    .map((name) => ({ name, bytes: files.bytesOf(directory, name) }))
  return segments.findLast(({ bytes, name }) => scanOf(name, bytes).opening !== undefined)!
}

/** Whether there is something else than zeros behind the sector in which the records of the last segment end. */
export const isOverFormer = (files: MemoryLogFileSystem): boolean => {
  const { bytes, name } = lastSegment(files)
  const offset = SegmentLayout.offsetOf(headerOf(name, bytes), endOf(name, bytes))
  return bytes.subarray(Math.ceil(offset / sectorBytes) * sectorBytes).some((byte) => byte !== 0)
}
