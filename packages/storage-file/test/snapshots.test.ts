/**
 * A log that begins after its snapshot: where that is missing, or is not the one that it was, the error says what is
 * wrong. And how often the disk is asked for it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { snapshotOf, takeSnapshot } from "@effect-raft/core/testing/StorageContractKit"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as SnapshotFile from "@effect-raft/storage-file/SnapshotFile"
import * as SnapshotFormat from "@effect-raft/storage-file/SnapshotFormat"
import { failureOf, name, open, snapshot, withSnapshot } from "./stored-snapshot.ts"
import { directory, identity } from "./support.ts"

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
