/** A look into a directory says what is there and what a node would do with it, and changes nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { LogStore } from "@effect-raft/core/RaftStorage"
import { snapshotOf, takeSnapshot, writeAll } from "@effect-raft/core/testing/StorageContractKit"
import { append, beginAfter, block, truncate, vote } from "@effect-raft/core/testing/StorageScripts"
import * as Inspect from "@effect-raft/storage-file/Inspect"
import { InspectionReport } from "@effect-raft/storage-file/InspectionReport"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as SegmentHeader from "@effect-raft/storage-file/SegmentHeader"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { directory, identity, temporaryDirectory, withStore } from "./support.ts"

const options = { directory, segmentBytes: 4096, snapshotChunkBytes: 64 }

const taken = snapshotOf(5, { sizeBytes: 200 })

const fill = (store: LogStore) =>
  Effect.gen(function* () {
    yield* store.write(vote(1, "n1", block(1, 1, 9, 300)))
    yield* takeSnapshot(store, taken)
    yield* store.write(beginAfter(5, 1))
    yield* store.write(truncate(8, block(8, 2, 3, 300)))
    yield* Effect.scoped(
      Effect.flatMap(store.snapshots.writer({ meta: snapshotOf(7).meta, purpose: "Receive" }), (writer) =>
        writer.write(new Uint8Array(150))
      )
    )
  })

/** A store that was closed, or whose process was killed. */
const filled = (end: "Closed" | "Killed") =>
  Effect.gen(function* () {
    const files = MemoryLogFileSystem.make()
    yield* withStore(
      files.layer,
      (store) =>
        Effect.andThen(
          fill(store),
          Effect.sync(() => (end === "Killed" ? files.kill() : undefined))
        ),
      options
    )
    return files
  })

const contentsOf = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  files.namesOf(directory).map((name) => [name, files.bytesOf(directory, name).slice()] as const)

/** Looks, and checks that nothing has changed and that the report goes through JSON. */
const inspect = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
  Effect.gen(function* () {
    const before = contentsOf(files)
    const operations = files.operations()
    const report = yield* Effect.provide(Inspect.inspect(directory), files.layer)
    assert.deepStrictEqual(contentsOf(files), before)
    assert.strictEqual(files.operations(), operations)
    const json = Schema.fromJsonString(Schema.toCodecJson(InspectionReport))
    const text = yield* Schema.encodeEffect(json)(report)
    assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(json)(text), report)
    return report
  })

/** As a program sees it that reads the JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("a look into a store", () => {
  it.effect("says whose it is, what the log adds up to, and what every file holds", () =>
    Effect.gen(function* () {
      const report = yield* inspect(yield* filled("Closed"))
      assert.deepStrictEqual(report.identity, identity)
      assert.deepStrictEqual(report.verdict, { _tag: "Sound" })
      assert.deepStrictEqual(plain(report.log), {
        currentTerm: 1,
        votedFor: "n1",
        base: { index: 5, term: 1 },
        lastIndex: 10,
        entries: [
          { term: 1, firstIndex: 6, lastIndex: 7 },
          { term: 2, firstIndex: 8, lastIndex: 10 }
        ]
      })
      const segments = report.segments.map(({ fileBytes, usedBytes, ...rest }) => {
        assert.isAbove(usedBytes, 512)
        assert.isAtMost(usedBytes, fileBytes)
        return rest
      })
      assert.deepStrictEqual(plain(segments), [
        {
          entries: [{ term: 1, firstIndex: 1, lastIndex: 9 }],
          formatVersion: SegmentHeader.formatVersion,
          isSealed: true,
          name: "00000001.wal",
          problem: null,
          records: 2
        },
        {
          entries: [{ term: 2, firstIndex: 8, lastIndex: 10 }],
          formatVersion: SegmentHeader.formatVersion,
          isSealed: false,
          name: "00000002.wal",
          problem: null,
          records: 2
        }
      ])
      assert.strictEqual(report.snapshots.length, 1)
      assert.deepInclude(report.snapshots[0], { meta: taken.meta, sizeBytes: 200, problem: null })
      assert.deepStrictEqual(
        report.parts.map(({ meta, name, wholeBytes }) => ({ id: meta?.id, name, wholeBytes })),
        [{ id: "at-7", name: "receive.part", wholeBytes: 128 }]
      )
    })
  )

  it.effect("works while a node has it open, on real files", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "n1")
      yield* withStore(
        NodeLogFileSystem.layer,
        (store) =>
          Effect.gen(function* () {
            yield* fill(store)
            // The node itself goes on meanwhile: it lets segments go, and makes the next one ready.
            const filesOf = () =>
              readdirSync(path)
                .filter((name) => !SegmentHeader.isUnfinished(name))
                .map((name) => [name, readFileSync(join(path, name))] as const)
            const before = new Map(filesOf())
            const report = yield* Effect.provide(Inspect.inspect(path), NodeLogFileSystem.layer)
            assert.deepStrictEqual(report.verdict, { _tag: "Sound" })
            assert.include(report.lastOpenedBy, `process ${process.pid}`)
            assert.strictEqual(report.log?.lastIndex, 10)
            for (const [name, bytes] of filesOf()) assert.deepStrictEqual(bytes, before.get(name), name)
            yield* writeAll(store, [append(block(11, 2))])
          }),
        { ...options, directory: path }
      )
    })
  )

  it.effect("tells a write that was cut short", () =>
    Effect.gen(function* () {
      const files = yield* filled("Killed")
      const name = "00000002.wal"
      const bytes = files.bytesOf(directory, name).slice()
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1
      files.replace(directory, name, bytes.fill(0, end - 600, end))
      const { log, verdict } = yield* inspect(files)
      assert.strictEqual(verdict._tag, "TornTail")
      assert.strictEqual(log?.lastIndex, 9)
    })
  )

  it.effect("tells damage, by file and byte, and still shows the rest", () =>
    Effect.gen(function* () {
      const files = yield* filled("Closed")
      for (const name of files.namesOf(directory).filter((one) => /\.(wal|snapshot)$/.test(one))) {
        const bytes = files.bytesOf(directory, name).slice()
        for (const at of [0, 40, 700]) {
          if (at >= bytes.byteLength) continue
          const damaged = bytes.slice()
          damaged[at] = damaged[at]! ^ 1
          files.replace(directory, name, damaged)
          const report = yield* inspect(files)
          if (report.verdict._tag !== "Damaged") return assert.fail(`${name}, byte ${at}`)
          assert.strictEqual(report.verdict.file, `${directory}/${name}`)
          assert.deepStrictEqual(report.identity, identity)
          const refused = yield* Effect.flip(withStore(files.layer, () => Effect.void, options))
          assert.strictEqual(refused.reason._tag, "DamagedStore")
        }
        files.replace(directory, name, bytes)
      }
    })
  )

  it.effect("tells what is missing", () =>
    Effect.gen(function* () {
      for (const [missing, named] of [
        ["00000001.wal", "00000001.wal"],
        ["00000002.wal", "00000002.wal"],
        [".snapshot", directory],
        [".wal", "00000001.wal"]
      ] as const) {
        const files = yield* filled("Closed")
        for (const name of files.namesOf(directory)) {
          if (name.endsWith(missing)) files.remove(directory, name)
        }
        const { verdict } = yield* inspect(files)
        if (verdict._tag !== "Damaged") return assert.fail(`without ${missing}: ${verdict._tag}`)
        assert.include(`${verdict.file} ${verdict.detail}`, named)
      }
    })
  )

  it.effect("tells a newer format", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      yield* withStore(files.layer, () => Effect.void, options)
      const name = "00000001.wal"
      const bytes = files.bytesOf(directory, name).slice()
      const header = SegmentHeader.decode(bytes, name)
      if ("_tag" in header) return assert.fail(header.message)
      bytes.set(SegmentHeader.encode({ ...header, version: 9 }))
      files.replace(directory, name, bytes)
      const { verdict } = yield* inspect(files)
      assert.deepInclude(verdict, { _tag: "TooNew", found: 9, supported: SegmentHeader.formatVersion })
    })
  )

  it.effect("finds nothing in an empty directory, and refuses what is not a store", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const look = (where: string) => Effect.provide(Inspect.inspect(where), NodeLogFileSystem.layer)
      const { verdict } = yield* look(path)
      assert.deepStrictEqual(verdict, { _tag: "Empty" })
      const missing = yield* Effect.flip(look(join(path, "no")))
      assert.strictEqual(
        missing.message,
        `list failed on ${path}/no: there is no such file or directory (ENOENT)`
      )
      assert.deepStrictEqual(readdirSync(path), [])
      const strange = yield* Effect.flip(look(import.meta.dirname))
      assert.strictEqual(strange.reason._tag, "NotAStore")
    })
  )
})
