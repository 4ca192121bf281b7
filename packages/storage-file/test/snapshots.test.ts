/**
 * Snapshots in files: what a sick disk, a wrong bit, a missing or a strange file does to them and to the
 * log that begins after them. Either all is there as it was written, or the error says what is wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { LogStore, StorageError } from "@effect-raft/core/RaftStorage"
import { snapshotOf, sumOf, takeSnapshot, writeAll } from "@effect-raft/core/testing/StorageContractKit"
import type { Snapshot } from "@effect-raft/core/testing/StorageContractKit"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, beginAfter, block, vote } from "@effect-raft/core/testing/StorageScripts"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SnapshotFile from "@effect-raft/storage-file/SnapshotFile"
import * as SnapshotFormat from "@effect-raft/storage-file/SnapshotFormat"
import { directory, expectSnapshot, identity, withStore } from "./support.ts"

const options = { directory, segmentBytes: 4096, snapshotChunkBytes: 64 }

const open = <A, E>(
  files: MemoryLogFileSystem.MemoryLogFileSystem,
  use: (store: LogStore) => Effect.Effect<A, E>
) => withStore(files.layer, use, options)

const failureOf = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  Effect.map(Effect.flip(open(files, () => Effect.void)), ({ reason }) => reason)

const flip = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << bit)
  return copy
}

const snapshot = snapshotOf(5, { sizeBytes: 200 })
const name = SnapshotFormat.nameOf(snapshot.meta)

/** A store with a snapshot, which its log needs. */
const withSnapshot = Effect.gen(function* () {
  const files = MemoryLogFileSystem.make()
  yield* open(files, (store) =>
    Effect.gen(function* () {
      yield* store.write(vote(1, "n1", block(1, 1, 9)))
      yield* takeSnapshot(store, snapshot)
      yield* store.write(beginAfter(5, 1))
    })
  )
  return files
})

describe("power that fails after a snapshot has taken the place of another", () => {
  it.effect("may bring the older one back, which does not count, and goes when the store opens", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const newer = snapshotOf(8, { sizeBytes: 300 })
      yield* open(files, (store) => takeSnapshot(store, newer))
      const snapshotsIn = () => files.namesOf(directory).filter(SnapshotFormat.isSnapshotName)
      files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
      const newerName = SnapshotFormat.nameOf(newer.meta)
      assert.deepStrictEqual([...snapshotsIn()].sort(), [name, newerName])
      yield* open(files, (store) => expectSnapshot(store, newer))
      assert.deepStrictEqual(snapshotsIn(), [newerName])
    })
  )
})

describe("a disk that says no while a snapshot is committed", () => {
  const former = snapshotOf(5, { sizeBytes: 200 })
  const newer = snapshotOf(8, { sizeBytes: 300 })

  it.effect("leaves the former one or the new one, and a log that goes on", () =>
    Effect.gen(function* () {
      let [failed, done] = [0, 0]
      for (let operation = 0; operation < 20; operation++) {
        const files = MemoryLogFileSystem.make()
        const isCommitted = yield* open(files, (store) =>
          Effect.gen(function* () {
            yield* store.write(append(block(1, 1, 9)))
            yield* takeSnapshot(store, former)
            files.failAfter(operation, "EIO")
            const taken = yield* Effect.result(takeSnapshot(store, newer))
            if (Result.isFailure(taken)) assert.strictEqual(taken.failure.reason._tag, "IoFailed")
            files.failAfter(Infinity, "EIO")
            yield* expectSnapshot(store, Result.isSuccess(taken) ? newer : former)
            yield* store.write(append(block(10, 1)))
            return Result.isSuccess(taken)
          })
        )
        if (isCommitted) done++
        else failed++
        files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
        yield* open(files, (store) =>
          Effect.gen(function* () {
            const found = store.recovered.snapshot?.lastIndex
            if (isCommitted) assert.strictEqual(found, 8, `operation ${operation}`)
            yield* expectSnapshot(store, found === 8 ? newer : former)
            yield* takeSnapshot(store, newer)
          })
        )
      }
      assert.isAtLeast(failed, 8)
      assert.isAtLeast(done, 8)
    })
  )

  it.effect("ends the writer: it does not try again what failed", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) =>
        Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* store.snapshots.writer({ meta: newer.meta, purpose: "Take" })
            yield* writer.write(newer.bytes)
            files.failAfter(2, "EIO")
            const failure = yield* Effect.flip(writer.commit)
            assert.strictEqual(
              failure.message,
              "flush failed on /store/take.part: the disk reports an error (EIO); look at the disk before the node is started again"
            )
            const operations = files.operations()
            assert.strictEqual(yield* Effect.flip(writer.commit), failure)
            assert.strictEqual(yield* Effect.flip(writer.write(new Uint8Array(100))), failure)
            assert.strictEqual(files.operations(), operations)
          })
        )
      )
    })
  )

  it.effect("and then goes on with the part has the bytes on the disk, not only in the page cache", () =>
    Effect.gen(function* () {
      let failed = 0
      for (let hasFailed = true; hasFailed;) {
        const files = MemoryLogFileSystem.make()
        hasFailed = yield* open(files, (store) =>
          Effect.gen(function* () {
            const attempt = Effect.scoped(
              Effect.gen(function* () {
                const writer = yield* store.snapshots.writer({
                  meta: newer.meta,
                  purpose: "Receive",
                  resume: true
                })
                yield* writer.write(newer.bytes.subarray(writer.offset()))
                yield* writer.commit
              })
            )
            files.failAfter(failed, "EIO")
            const first = yield* Effect.result(attempt)
            if (Result.isSuccess(first)) return false
            yield* attempt
            return true
          })
        )
        files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
        if (!hasFailed) break
        yield* open(files, (store) => expectSnapshot(store, newer))
        failed += 1
      }
      assert.isAtLeast(failed, 8)
    })
  )
})

describe("a bit that is not as it was written", () => {
  it.effect("in a snapshot, at any byte, is found", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const bytes = files.bytesOf(directory, name).slice()
      for (let at = 0; at < bytes.byteLength; at++) {
        files.replace(directory, name, flip(bytes, at, at % 8))
        const read = yield* Effect.result(open(files, (store) => expectSnapshot(store, snapshot)))
        if (Result.isSuccess(read)) return assert.fail(`byte ${at} of ${bytes.byteLength}`)
        const { reason } = read.failure
        if (reason._tag !== "DamagedStore") return assert.fail(`byte ${at}: ${read.failure.message}`)
        assert.strictEqual(reason.location, `${directory}/${name}`)
      }
    })
  )

  it.effect("is not the only damage: two chunks that have changed places are found, too", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const bytes = files.bytesOf(directory, name).slice()
      const chunk = 64 + SnapshotFormat.chunkHeaderBytes
      const end = bytes.byteLength - SnapshotFormat.footerBytes - (200 % 64) - SnapshotFormat.chunkHeaderBytes
      bytes.copyWithin(end - 2 * chunk, end - chunk, end)
      bytes.set(files.bytesOf(directory, name).subarray(end - 2 * chunk, end - chunk), end - chunk)
      files.replace(directory, name, bytes)
      const { reason } = yield* Effect.flip(open(files, (store) => expectSnapshot(store, snapshot)))
      assert.deepInclude(reason, { _tag: "DamagedStore", offset: end - 2 * chunk })
    })
  )

  it.effect("after the end of a part does not get into the snapshot", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) => writePart(store, snapshot, 190))
      const junk = new Uint8Array(500).fill(7)
      files.replace(
        directory,
        "receive.part",
        new Uint8Array([...files.bytesOf(directory, "receive.part"), ...junk])
      )
      assert.strictEqual(yield* open(files, (store) => writePart(store, snapshot, 200)), 128)
      yield* open(files, (store) => expectSnapshot(store, snapshot))
    })
  )

  it.effect("in a part of a snapshot, at any byte, costs the part from there on and no more", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) => writePart(store, snapshot, 190))
      const bytes = files.bytesOf(directory, "receive.part").slice()
      const headerBytes = bytes.byteLength - 2 * (64 + SnapshotFormat.chunkHeaderBytes)
      for (let at = 0; at < bytes.byteLength; at++) {
        files.replace(directory, "receive.part", flip(bytes, at, at % 8))
        const offset = yield* open(files, (store) => writePart(store, snapshot, 200))
        const wholeChunks = Math.max(0, Math.floor((at - headerBytes) / 72))
        assert.strictEqual(offset, at < headerBytes ? 0 : wholeChunks * 64, `byte ${at}`)
        yield* open(files, (store) => expectSnapshot(store, snapshot))
      }
    })
  )

  it.effect("anywhere in a store that was compacted changes nothing that is read", () =>
    Effect.gen(function* () {
      const batches = [
        vote(1, "n1", block(1, 1, 9, 150)),
        append(block(10, 1, 9, 200)),
        beginAfter(11, 1),
        append(block(19, 1, 9, 200)),
        vote(2, null, block(28, 2, 9, 150))
      ]
      const files = MemoryLogFileSystem.make()
      yield* open(files, (store) => writeAll(store, batches))
      const names = files.namesOf(directory)
      assert.isFalse(names.includes("00000001.wal"))
      assert.isAtLeast(names.length, 3)
      const copies = names.map((file) => [file, files.bytesOf(directory, file).slice()] as const)
      for (const [file, bytes] of copies) {
        for (let at = 0; at < bytes.byteLength; at++) {
          for (const [other, whole] of copies) files.replace(directory, other, whole.slice())
          files.replace(directory, file, flip(bytes, at, at % 8))
          const problem = yield* open(files, (store) => readAll(store, sumOf(batches), snapshotOf(11))).pipe(
            Effect.catchIf(isDamage, () => Effect.undefined)
          )
          assert.isUndefined(problem, `${file}, byte ${at}`)
        }
      }
    })
  )
})

const isDamage = ({ reason }: StorageError) => reason._tag === "DamagedStore"

const readAll = (store: LogStore, expected: StorageModel.StorageModel, taken: Snapshot) =>
  Effect.as(
    expectSnapshot(store, taken),
    StorageModel.difference(expected, StorageModel.ofRecovered(store.recovered))
  )

/** Goes on with a part up to `until`, commits it where that is the end, and says where it began. */
const writePart = (store: LogStore, { bytes, meta }: Snapshot, until: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* store.snapshots.writer({ meta, purpose: "Receive", resume: true })
      const offset = writer.offset()
      yield* writer.write(bytes.subarray(offset, until))
      if (until === bytes.byteLength) yield* writer.commit
      return offset
    })
  )

describe("a store whose log begins after its snapshot", () => {
  it.effect("does not open without the snapshot", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      files.remove(directory, name)
      const reason = yield* failureOf(files)
      assert.deepInclude(reason, {
        _tag: "DamagedStore",
        location: directory,
        detail: "the log would begin after index 5, and the newest snapshot ends at 0"
      })
    })
  )

  it.effect("does not open with an older snapshot in its place", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const others = MemoryLogFileSystem.make()
      const older = snapshotOf(4)
      yield* open(others, (store) => takeSnapshot(store, older))
      files.remove(directory, name)
      const olderName = SnapshotFormat.nameOf(older.meta)
      files.replace(directory, olderName, others.bytesOf(directory, olderName))
      assert.strictEqual((yield* failureOf(files))._tag, "DamagedStore")
    })
  )

  it.effect("does not open where the snapshot was cut shorter, at any byte", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const bytes = files.bytesOf(directory, name).slice()
      for (let length = 0; length < bytes.byteLength; length++) {
        files.replace(directory, name, bytes.slice(0, length))
        assert.deepInclude(yield* failureOf(files), {
          _tag: "DamagedStore",
          location: `${directory}/${name}`
        })
      }
    })
  )

  it.effect("does not open with the snapshot of another node", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const other = { ...identity, groupId: identity.groupId, clusterId: identity.clusterId }
      const header = SnapshotFormat.encodeHeader({
        identity: { ...other, nodeId: "n9" as typeof identity.nodeId },
        meta: snapshot.meta,
        salt: 7,
        chunkBytes: 64
      })
      const foreign = new Uint8Array([...header, ...SnapshotFormat.encodeFooter(0, 7)])
      files.replace(directory, name, foreign)
      assert.strictEqual((yield* failureOf(files))._tag, "ForeignStore")
    })
  )

  it.effect("does not open with a snapshot of a newer format", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const content = { identity, meta: snapshot.meta, salt: 7, chunkBytes: 64 }
      const version = SnapshotFormat.formatVersion + 1
      files.replace(directory, name, SnapshotFormat.encodeHeader(content, version))
      assert.deepInclude(yield* failureOf(files), { _tag: "UnsupportedFormat", found: version })
    })
  )

  it("marks a snapshot with sessions, so that a program without them does not misread it", () => {
    const content = { identity, meta: snapshot.meta, salt: 7, chunkBytes: 64 }
    const withSessions = { ...content, meta: { ...snapshot.meta, sessionBytes: 8 } }
    const versionOf = (header: Uint8Array) => new DataView(header.buffer).getUint32(8, true)
    assert.strictEqual(versionOf(SnapshotFormat.encodeHeader(content)), 1)
    const header = SnapshotFormat.encodeHeader(withSessions)
    assert.strictEqual(versionOf(header), 2)
    assert.deepInclude(SnapshotFormat.decodeHeader(header, name), { meta: withSessions.meta })
  })

  it.effect("does not open when all of its segments are gone", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      for (const file of files.namesOf(directory)) if (file.endsWith(".wal")) files.remove(directory, file)
      const { message } = yield* Effect.flip(open(files, () => Effect.void))
      assert.include(message, "00000001.wal")
      assert.include(message, `${name} says that there was a log`)
    })
  )
})

describe("reading a snapshot", () => {
  it.effect("asks the disk once for a piece, however many chunks it has", () =>
    Effect.gen(function* () {
      const files = yield* withSnapshot
      const file = yield* (yield* files.files.lookInto(directory)).openToRead(name)
      let reads = 0
      const counted = {
        ...file,
        read: (position: number, bytes: number) => {
          reads += 1
          return file.read(position, bytes)
        }
      }
      const reader = SnapshotFile.toReader(counted, yield* SnapshotFile.examine(file, name))
      for (const [offset, maxBytes] of [
        [0, 200],
        [64, 128],
        [63, 2],
        [190, 64],
        [10, 0],
        [200, 64]
      ] as const) {
        reads = 0
        const expected = snapshot.bytes.subarray(offset, offset + maxBytes)
        assert.deepStrictEqual(yield* reader.read(offset, maxBytes), expected)
        assert.strictEqual(reads, expected.byteLength === 0 ? 0 : 1)
      }
    })
  )
})
