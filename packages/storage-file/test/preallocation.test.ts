/** How a file of the log gets its blocks. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import { pieceBytes, zerosAfter } from "@effect-raft/storage-file/Preallocation"
import { temporaryDirectory } from "./support.ts"

const sizeBytes = 8 * pieceBytes

describe("zeros behind a write", () => {
  const zeros = (filledBytes: number, end: number, bytes: number) =>
    zerosAfter({ sizeBytes, filledBytes }, end, bytes).byteLength

  it("go up to the end of its piece, where there are no blocks yet", () => {
    assert.strictEqual(zeros(0, 512, 512), pieceBytes - 512)
    assert.strictEqual(zeros(pieceBytes, pieceBytes + 100, 200), pieceBytes - 100)
    assert.strictEqual(zeros(pieceBytes, 2 * pieceBytes, 512), 0)
  })

  it("are none where there are blocks", () => {
    assert.strictEqual(zeros(pieceBytes, pieceBytes, 512), 0)
    assert.strictEqual(zeros(pieceBytes, 1000, 512), 0)
  })

  it("are none behind a write as large as a piece, which would be written twice", () => {
    assert.strictEqual(zeros(0, pieceBytes + 512, pieceBytes), 0)
  })

  it("end with the file, and a file that grows gets none", () => {
    const inLastPiece = { sizeBytes: pieceBytes + 1000, filledBytes: pieceBytes }
    assert.strictEqual(zerosAfter(inLastPiece, pieceBytes + 600, 512).byteLength, 400)
    assert.strictEqual(zerosAfter({ sizeBytes: 0, filledBytes: 0 }, 512, 512).byteLength, 0)
  })
})

describe("a file of the log on the disk", () => {
  const withFile = Effect.fnUntraced(function* () {
    const path = yield* temporaryDirectory
    const files = yield* LogFileSystem
    const directory = yield* files.openDirectory(path)
    const stat = () => statSync(join(path, "log"))
    return { directory, size: () => stat().size, blocksBytes: () => stat().blocks * 512 }
  })

  it.live("has its size from the beginning, and its blocks a piece ahead of small writes", () =>
    Effect.gen(function* () {
      const { blocksBytes, directory, size } = yield* withFile()
      const file = yield* Effect.acquireRelease(directory.create("log", sizeBytes), (opened) => opened.close)
      yield* file.sync
      assert.strictEqual(size(), sizeBytes)
      assert.isBelow(blocksBytes(), pieceBytes)
      yield* file.write([new Uint8Array(512).fill(1)], 0)
      yield* file.sync
      const afterFirst = blocksBytes()
      assert.isAtLeast(afterFirst, pieceBytes)
      assert.isBelow(afterFirst, 2 * pieceBytes)
      yield* file.write([new Uint8Array(512).fill(2)], 512)
      yield* file.sync
      assert.strictEqual(blocksBytes(), afterFirst)
      yield* file.write([new Uint8Array(512).fill(3)], pieceBytes)
      yield* file.sync
      assert.isAtLeast(blocksBytes(), 2 * pieceBytes)
      assert.strictEqual(size(), sizeBytes)
    }).pipe(Effect.provide(NodeLogFileSystem.layer))
  )

  it.live("writes no zeros over what it had before it was opened again", () =>
    Effect.gen(function* () {
      const { directory } = yield* withFile()
      const made = yield* directory.create("log", sizeBytes)
      yield* made.write([new Uint8Array(pieceBytes + 512).fill(7)], 0)
      yield* made.close
      const file = yield* Effect.acquireRelease(directory.open("log"), (opened) => opened.close)
      yield* file.write([new Uint8Array(512).fill(8)], 1024)
      const bytes = yield* file.read(0, pieceBytes + 512)
      assert.isTrue(bytes.every((byte, at) => byte === (at >= 1024 && at < 1536 ? 8 : 7)))
    }).pipe(Effect.provide(NodeLogFileSystem.layer))
  )
})
