/** A store made from a backup: it holds all of it, or no node opens it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ofVoters } from "@effect-raft/core/Membership"
import type { LogStore } from "@effect-raft/core/RaftStorage"
import { snapshotOf } from "@effect-raft/core/testing/StorageContractKit"
import { append, block, vote } from "@effect-raft/core/testing/StorageScripts"
import * as Inspect from "@effect-raft/storage-file/Inspect"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Restore from "@effect-raft/storage-file/Restore"
import { writeFileSync } from "node:fs"
import { fates } from "./fates.ts"
import {
  directory,
  expectSnapshot,
  identity,
  segmentBytes,
  temporaryDirectory,
  withStore
} from "./support.ts"

const snapshot = snapshotOf(42, { sizeBytes: 1_300, term: 7 })
const meta = { ...snapshot.meta, membership: ofVoters({ n1: "127.0.0.1:7001" }) }
const options = { directory, segmentBytes, snapshotChunkBytes: 512 }

const contents = Stream.fromArray([snapshot.bytes.subarray(0, 700), snapshot.bytes.subarray(700)])

const restore = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  Effect.provide(Restore.restore({ ...options, identity, meta, contents }), files.layer)

const expectWhole = (store: LogStore) =>
  Effect.gen(function* () {
    const { base, blocks, hardState } = store.recovered
    assert.deepStrictEqual(hardState, { currentTerm: meta.lastTerm, votedFor: null })
    assert.deepStrictEqual(base, { index: meta.lastIndex, term: meta.lastTerm })
    assert.deepStrictEqual(blocks, [])
    yield* expectSnapshot(store, { meta, bytes: snapshot.bytes })
  })

describe("a restored store", () => {
  it.effect("begins with the snapshot and goes on after it", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* restore(files)
      yield* withStore(
        files.layer,
        (store) => Effect.andThen(expectWhole(store), store.write(append(block(43, 8)))),
        options
      )
      const report = yield* Effect.provide(Inspect.inspect(directory), files.layer)
      assert.strictEqual(report.verdict._tag, "Sound")
      assert.strictEqual(report.log?.lastIndex, 43)
    })
  )

  it.effect("is durable: the power may fail right after", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* restore(files)
      files.restart({ bytes: { firstBytes: 0 }, names: "Lost" })
      yield* withStore(files.layer, expectWhole, options)
    })
  )

  it.live("is the same on a disk", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/deep/down`
      yield* Restore.restore({ directory: path, identity, meta, contents })
      yield* withStore(NodeLogFileSystem.layer, expectWhole, { directory: path })
    }).pipe(Effect.scoped, Effect.provide(NodeLogFileSystem.layer))
  )
})

describe("a restore", () => {
  it.effect("refuses a directory with anything in it, and changes nothing", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(files.layer, (store) => store.write(vote(3, "n2")), options)
      const operations = files.operations()
      const failure = yield* Effect.flip(restore(files))
      assert.strictEqual(failure._tag, "DirectoryNotEmpty")
      assert.match(failure.message, /^\/store is not empty: it holds .*00000001\.wal.*nothing was changed/)
      assert.strictEqual(files.operations(), operations)
    })
  )

  it.live("takes the root of a new file system for empty, and a file of somebody else not", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      writeFileSync(`${path}/lost+found`, "")
      yield* Restore.restore({ directory: path, identity, meta, contents })
      const other = yield* temporaryDirectory
      writeFileSync(`${other}/letter.txt`, "dear")
      const failure = yield* Effect.flip(Restore.restore({ directory: other, identity, meta, contents }))
      assert.match(failure.message, /is not empty: it holds letter\.txt/)
    }).pipe(Effect.scoped, Effect.provide(NodeLogFileSystem.layer))
  )

  it.effect("of contents that fail half-way leaves what no node opens", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      const broken = Stream.concat(Stream.take(contents, 1), Stream.fail("cut off" as const))
      const failure = yield* Effect.flip(
        Effect.provide(Restore.restore({ ...options, identity, meta, contents: broken }), files.layer)
      )
      assert.strictEqual(failure, "cut off")
      const refusal = yield* Effect.flip(withStore(files.layer, () => Effect.void, options))
      assert.match(refusal.message, /it holds a restore that was not finished/)
      const inspection = yield* Effect.flip(Effect.provide(Inspect.inspect(directory), files.layer))
      assert.strictEqual(inspection.message, refusal.message)
    })
  )

  for (const [name, fate] of fates) {
    it.effect(`that loses its power at any operation is whole, refused, or not begun: ${name}`, () =>
      Effect.gen(function* () {
        const counted = MemoryLogFileSystem.make()
        yield* restore(counted)
        assert.isAtLeast(counted.operations(), 20)
        for (let at = 0; at < counted.operations(); at++) {
          const files = MemoryLogFileSystem.make()
          files.powerOffAfter(at)
          yield* Effect.ignore(restore(files))
          files.restart(fate)
          if (files.namesOf(directory).length === 0) continue
          const opened = yield* Effect.result(withStore(files.layer, expectWhole, options))
          if (Result.isFailure(opened))
            assert.match(opened.failure.message, /restore that was not finished/, `operation ${at}`)
        }
      })
    )
  }
})
