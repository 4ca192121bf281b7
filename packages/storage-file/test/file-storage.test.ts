/** The store in files keeps the contract, on real files and on those in memory, and guards its directory. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import type { EntryBlock } from "@effect-raft/core/LogEntry"
import { NodeId } from "@effect-raft/core/NodeId"
import { RaftStorage } from "@effect-raft/core/RaftStorage"
import type { LogStore, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as RaftStorageContract from "@effect-raft/core/testing/RaftStorageContract"
import { append, block, vote } from "@effect-raft/core/testing/StorageScripts"
import * as FileStorage from "@effect-raft/storage-file/FileStorage"
import * as MemoryLogFileSystem from "@effect-raft/storage-file/MemoryLogFileSystem"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as SegmentHeader from "@effect-raft/storage-file/SegmentHeader"
import { identity, prefixOf, segmentBytes, temporaryDirectory, withStore, writeAll } from "./support.ts"

const directoryOf =
  (root: string) =>
  ({ clusterId, groupId, nodeId }: StorageIdentity) =>
    join(root, clusterId, groupId, nodeId)

describe("FileStorage on real files keeps the contract: it", () => {
  const onFiles = (homes: "Many" | "One") =>
    Layer.unwrap(
      Effect.map(temporaryDirectory, (root) =>
        FileStorage.layer({ directory: homes === "One" ? join(root, "n1") : directoryOf(root), segmentBytes })
      )
    ).pipe(Layer.provide(NodeLogFileSystem.layer))
  const manyHomes = RaftStorageContract.cases({ homes: "Many" })
  const oneHomeOnly = RaftStorageContract.cases({ homes: "One" }).filter(
    (one) => !manyHomes.some((other) => other.name === one.name)
  )
  for (const { name, run } of manyHomes) {
    it.effect(name, () => Effect.provide(run, Layer.fresh(onFiles("Many"))))
  }
  for (const { name, run } of oneHomeOnly) {
    it.effect(name, () => Effect.provide(run, Layer.fresh(onFiles("One"))))
  }
})

describe("FileStorage on files in memory keeps the contract: it", () => {
  const run = (one: (files: MemoryLogFileSystem.MemoryLogFileSystem) => RaftStorageContract.ContractCase) =>
    Effect.suspend(() => {
      const files = MemoryLogFileSystem.make()
      const layer = FileStorage.layer({ directory: directoryOf("/"), segmentBytes })
      return Effect.provide(one(files).run, Layer.provide(layer, files.layer))
    })
  const casesOn = (files: MemoryLogFileSystem.MemoryLogFileSystem) =>
    RaftStorageContract.cases({
      homes: "Many",
      losePower: () => Effect.sync(() => files.restart({ bytes: { firstBytes: 0 }, names: "Lost" }))
    })
  for (const [position, { name }] of casesOn(MemoryLogFileSystem.make()).entries()) {
    it.effect(name, () => run((files) => casesOn(files)[position]!))
  }

  it("never waits, so that a simulator can run it synchronously", () => {
    const files = MemoryLogFileSystem.make()
    Effect.runSync(
      withStore(files.layer, (store) => writeAll(store, [vote(1, "n1"), append(block(1, 1, 5))]))
    )
    const found = Effect.runSync(withStore(files.layer, (store) => Effect.succeed(store.recovered.hardState)))
    assert.deepStrictEqual({ ...found }, { ...vote(1, "n1").hardState })
  })
})

describe("FileStorage", () => {
  it.live("is done with the memory of a block when its write has ended", () =>
    Effect.gen(function* () {
      const options = { directory: yield* temporaryDirectory, segmentBytes }
      const blocks = [block(1, 1, 3), block(4, 1, 1, 5_000), block(5, 1, 2)]
      const writeEach = (store: LogStore) =>
        Effect.gen(function* () {
          assert.isTrue(store.copiesBlocks)
          for (const one of blocks) {
            const bytes = new Uint8Array(one.bytes)
            yield* store.write(append({ ...one, bytes }))
            bytes.buffer.transfer()
          }
        })
      yield* withStore(NodeLogFileSystem.layer, writeEach, options)
      const bytesOf = (found: ReadonlyArray<EntryBlock>) => found.flatMap(({ bytes }) => Array.from(bytes))
      const found = yield* withStore(
        NodeLogFileSystem.layer,
        (store) => Effect.succeed(bytesOf(store.recovered.blocks)),
        options
      )
      assert.deepStrictEqual(found, bytesOf(blocks))
    })
  )
})

/** Opens the store on real files and returns the error. */
const openFailure = (directory: string) =>
  Effect.flip(withStore(NodeLogFileSystem.layer, () => Effect.void, { directory, segmentBytes }))

/** Everything in a directory, to be compared. */
const filesOf = (directory: string) =>
  readdirSync(directory)
    .toSorted()
    .map((name) => [name, readFileSync(join(directory, name)).toString("base64")])

describe("the directory", () => {
  it.effect("is made with its parents", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "a", "b", "c")
      yield* withStore(NodeLogFileSystem.layer, (store) => store.write(vote(1, "n1")), {
        directory,
        segmentBytes
      })
      assert.strictEqual(statSync(join(directory, "00000001.wal")).size, segmentBytes)
    })
  )

  it.effect("that is a file is refused in words", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "file")
      writeFileSync(directory, "")
      const { message, reason } = yield* openFailure(directory)
      assert.strictEqual(reason._tag, "IoFailed")
      assert.include(message, directory)
      assert.include(message, "there is a file where a directory")
      const below = yield* openFailure(join(directory, "below"))
      assert.include(below.message, "there is a file where a directory")
    })
  )

  it.effect.skipIf(process.platform !== "linux")("that cannot be written is refused in words", () =>
    Effect.gen(function* () {
      const { message, reason } = yield* openFailure("/proc/effect-raft")
      assert.strictEqual(reason._tag, "IoFailed")
      assert.include(message, "make the directory failed on /proc/effect-raft")
    })
  )

  it.effect("with files of somebody else is left alone", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      for (const name of ["a.txt", "b.txt", "c.txt", "d.txt"]) writeFileSync(join(directory, name), "")
      const { message, reason } = yield* openFailure(directory)
      assert.strictEqual(reason._tag, "NotAStore")
      assert.include(message, "a.txt, b.txt, c.txt and 1 more")
      assert.strictEqual(readdirSync(directory).length, 4)
    })
  )

  it.effect("with nothing but hidden files and lost+found is taken", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, ".gitkeep"), "")
      mkdirSync(join(directory, "lost+found"))
      yield* withStore(NodeLogFileSystem.layer, () => Effect.void, { directory, segmentBytes })
    })
  )

  it.effect("names its owner while it is locked", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const open = withStore(NodeLogFileSystem.layer, () => openFailure(directory), {
        directory,
        segmentBytes
      })
      const { message, reason } = yield* open
      assert.strictEqual(reason._tag, "StoreLocked")
      assert.include(message, `node n1 of cluster test, group default, process ${process.pid}`)
    })
  )

  it.effect("whose lock cannot be taken says why", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      mkdirSync(join(directory, "store.lock"))
      const { message, reason } = yield* openFailure(directory)
      assert.strictEqual(reason._tag, "IoFailed")
      assert.match(
        message,
        /lock failed on .*store\.lock: there is a directory where a file is needed \(EISDIR\)/
      )
      const other = yield* temporaryDirectory
      writeFileSync(join(other, "store.lock"), "x".repeat(5_000))
      assert.match(
        (yield* openFailure(other)).message,
        /store\.lock: somebody wrote into it; remove it while/
      )
    })
  )

  it.effect("that is removed while the node runs soon takes no further write", () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "n1")
      const failure = yield* withStore(
        NodeLogFileSystem.layer,
        (store) =>
          Effect.gen(function* () {
            yield* store.write(vote(1, "n1"))
            rmSync(directory, { recursive: true })
            // It is not looked at with every flush.
            return yield* Effect.flip(Effect.forever(store.write(vote(2, "n1"))))
          }),
        { directory }
      )
      assert.match(failure.message, /flush failed on .*\.wal: the file was removed while the node ran/)
    })
  )

  it.effect("that is a link to another one is that one", () =>
    Effect.gen(function* () {
      const root = yield* temporaryDirectory
      mkdirSync(join(root, "there"))
      symlinkSync(join(root, "there"), join(root, "here"))
      yield* withStore(NodeLogFileSystem.layer, (store) => store.write(vote(3, "n1")), {
        directory: join(root, "here"),
        segmentBytes
      })
      const found = yield* withStore(
        NodeLogFileSystem.layer,
        (store) => Effect.succeed(store.recovered.hardState.currentTerm),
        { directory: join(root, "there"), segmentBytes }
      )
      assert.strictEqual(found, 3)
    })
  )

  it.effect("of another node is refused, and stays as it is", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* withStore(NodeLogFileSystem.layer, (store) => store.write(vote(1, "n1")), {
        directory,
        segmentBytes
      })
      writeFileSync(join(directory, "00000002.wal.new"), "unfinished")
      const before = filesOf(directory)
      const foreign = { ...identity, nodeId: NodeId.make("n2") }
      const { reason } = yield* RaftStorage.use((storage) => Effect.scoped(storage.open(foreign))).pipe(
        Effect.provide(
          Layer.provide(FileStorage.layer({ directory, segmentBytes }), NodeLogFileSystem.layer)
        ),
        Effect.flip
      )
      assert.strictEqual(reason._tag, "ForeignStore")
      assert.deepStrictEqual(filesOf(directory), before)
    })
  )

  it.effect("whose log was damaged is refused, and stays as it is", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const batches = [vote(1, "n1"), append(block(1, 1, 5))]
      yield* withStore(NodeLogFileSystem.layer, (store) => writeAll(store, batches), {
        directory,
        segmentBytes
      })
      const path = join(directory, SegmentHeader.nameOf(1))
      const file = readFileSync(path)
      file[SegmentHeader.headerBytes + 20]! ^= 255
      writeFileSync(path, file)
      writeFileSync(join(directory, "00000002.wal.new"), "unfinished")
      const before = filesOf(directory)
      const { reason } = yield* openFailure(directory)
      assert.strictEqual(reason._tag, "DamagedStore")
      assert.deepStrictEqual(filesOf(directory), before)
    })
  )

  it.effect("whose log is gone is refused: the node would forget whom it voted for", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const open = withStore(NodeLogFileSystem.layer, () => Effect.void, { directory, segmentBytes })
      yield* open
      rmSync(join(directory, SegmentHeader.nameOf(1)))
      const { message, reason } = yield* Effect.flip(open)
      assert.strictEqual(reason._tag, "DamagedStore")
      assert.match(message, /00000001\.wal .*the file is missing/)
      assert.deepStrictEqual(readdirSync(directory).toSorted(), ["store.lock", "store.owner"])
    })
  )

  it.effect("of a newer format is left alone", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const open = withStore(NodeLogFileSystem.layer, () => Effect.void, { directory, segmentBytes })
      yield* open
      const path = join(directory, "00000001.wal")
      const file = readFileSync(path)
      const header = SegmentHeader.decode(file, path)
      assert.isFalse("_tag" in header)
      if ("_tag" in header) return
      const supported = SegmentHeader.formatVersion
      file.set(SegmentHeader.encode({ ...header, version: supported + 1 }))
      writeFileSync(path, file)
      const { reason } = yield* Effect.flip(open)
      assert.deepInclude(reason, {
        _tag: "UnsupportedFormat",
        location: path,
        found: supported + 1,
        supported
      })
      assert.deepStrictEqual(readFileSync(path), file)
    })
  )
})

describe("segments", () => {
  const batches = Array.from({ length: 100 }, (_, position) => append(block(position + 1, 1, 1, 1000)))

  it.effect("roll over, and are read in order", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const options = { directory, segmentBytes }
      yield* withStore(NodeLogFileSystem.layer, (store) => writeAll(store, batches), options)
      assert.strictEqual(readdirSync(directory).filter((name) => name.endsWith(".wal")).length, 8)
      const prefix = yield* withStore(
        NodeLogFileSystem.layer,
        (store) => Effect.sync(() => prefixOf(batches, store)),
        options
      )
      assert.strictEqual(prefix, batches.length)
    })
  )

  it.effect("grow with a batch that is larger than they are", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const large = [append(block(1, 1)), append(block(2, 1, 1, 5 * segmentBytes)), append(block(3, 1))]
      const options = { directory, segmentBytes }
      yield* withStore(NodeLogFileSystem.layer, (store) => writeAll(store, large), options)
      const prefix = yield* withStore(
        NodeLogFileSystem.layer,
        (store) => Effect.sync(() => prefixOf(large, store)),
        options
      )
      assert.strictEqual(prefix, 3)
    })
  )

  it.effect("that are missing, first, middle or last, are missed", () =>
    Effect.gen(function* () {
      for (const name of ["00000001.wal", "00000004.wal", "00000008.wal"]) {
        const files = MemoryLogFileSystem.make()
        yield* withStore(files.layer, (store) => writeAll(store, batches))
        assert.strictEqual(files.namesOf("/store").length, 8)
        files.remove("/store", name)
        const { message, reason } = yield* Effect.flip(withStore(files.layer, () => Effect.void))
        assert.strictEqual(reason._tag, "DamagedStore")
        assert.include(message, name)
      }
    })
  )

  it.effect("that were cut shorter are damaged", () =>
    Effect.gen(function* () {
      for (const bytes of [0, 100, 512, 1000, segmentBytes - 1]) {
        const files = MemoryLogFileSystem.make()
        yield* withStore(files.layer, (store) => store.write(vote(1, "n1")))
        files.replace("/store", "00000001.wal", files.bytesOf("/store", "00000001.wal").slice(0, bytes))
        const { reason } = yield* Effect.flip(withStore(files.layer, () => Effect.void))
        assert.deepInclude(reason, { _tag: "DamagedStore", location: "/store/00000001.wal", offset: bytes })
      }
    })
  )

  it.effect("that are not finished at a crash are removed", () =>
    Effect.gen(function* () {
      const files = MemoryLogFileSystem.make()
      files.powerOffAfter(2)
      const exit = yield* Effect.exit(withStore(files.layer, () => Effect.void))
      assert.isTrue(Exit.isFailure(exit))
      files.restart({ bytes: { firstBytes: 100 }, names: "Kept" })
      assert.deepStrictEqual(files.namesOf("/store"), ["00000001.wal.new"])
      yield* withStore(files.layer, (store) => store.write(vote(1, "n1")))
      assert.deepStrictEqual(files.namesOf("/store"), ["00000001.wal"])
    })
  )
})
