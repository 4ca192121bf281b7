/** Backups as bytes: what goes in comes out, and nothing else ever does. */
import { assert, describe, it } from "@effect/vitest"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Backup from "../src/Backup.ts"
import * as BackupFormat from "../src/BackupFormat.ts"
import { LogIndex } from "../src/LogIndex.ts"
import { ofVoters } from "../src/Membership.ts"
import { ClusterId, defaultGroup, NodeId } from "../src/NodeId.ts"
import { Term } from "../src/Term.ts"

const header: BackupFormat.BackupHeader = {
  clusterId: ClusterId.make("shop"),
  groupId: defaultGroup,
  nodeId: NodeId.make("n1"),
  machine: "test/Machine",
  takenAtMillis: 1_700_000_000_000,
  snapshot: {
    id: "n1-42-x",
    lastIndex: LogIndex.make(42),
    lastTerm: Term.make(7),
    lastTimestampMillis: 1_699_999_999_000,
    membership: ofVoters({ n1: "127.0.0.1:7001", n2: "127.0.0.1:7002" })
  }
}

const piecesOf = (...sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  sizes.map((size, number) => new Uint8Array(size).map((_, at) => (at + number * 31) % 251))

const bytesOf = (pieces: ReadonlyArray<Uint8Array>) =>
  Effect.map(Stream.runCollect(Backup.encode(header, Stream.fromArray(pieces))), (parts) =>
    Uint8Array.from(Buffer.concat(parts))
  )

/** Reads a backup that comes in chunks of this size. */
const read = (bytes: Uint8Array, chunkBytes = bytes.byteLength) =>
  Effect.gen(function* () {
    const chunks = Array.from({ length: Math.ceil(bytes.byteLength / chunkBytes) }, (_, at) =>
      bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes)
    )
    const backup = yield* Backup.open(Stream.fromArray(chunks))
    const contents = Buffer.concat(yield* Stream.runCollect(backup.contents))
    return { header: backup.header, contents, digest: Buffer.from(backup.digest()).toString("hex") }
  }).pipe(Effect.scoped)

const test = (name: string, body: () => Effect.Effect<void, unknown, Digest.Digest>) =>
  it.effect(name, () => Effect.provide(body(), Digest.layerWebCrypto))

describe("a backup", () => {
  test("comes back as it was, in chunks of any size", () =>
    Effect.gen(function* () {
      const pieces = piecesOf(0, 1, 1_000, 3, 0)
      const bytes = yield* bytesOf(pieces)
      for (const chunkBytes of [1, 7, 64, 5_000]) {
        const found = yield* read(bytes, chunkBytes)
        assert.deepStrictEqual(found.header, header)
        assert.deepStrictEqual(Uint8Array.from(found.contents), Uint8Array.from(Buffer.concat(pieces)))
      }
    }))

  test("of an empty machine is whole", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* read(yield* bytesOf([]))).contents.byteLength, 0)
    }))

  test("cuts a piece that is larger than a reader should hold", () =>
    Effect.gen(function* () {
      const pieces = piecesOf(2 * BackupFormat.maxPieceBytes + 5)
      const bytes = yield* bytesOf(pieces)
      const backup = yield* Backup.open(Stream.succeed(bytes))
      const sizes = Array.from(yield* Stream.runCollect(backup.contents), (piece) => piece.byteLength)
      assert.deepStrictEqual(sizes, [BackupFormat.maxPieceBytes, BackupFormat.maxPieceBytes, 5])
    }).pipe(Effect.scoped))

  test("has the same last digest whoever reads it, and another one where it says anything else", () =>
    Effect.gen(function* () {
      const one = yield* read(yield* bytesOf(piecesOf(100, 20)), 3)
      const again = yield* read(yield* bytesOf(piecesOf(100, 20)))
      const other = yield* read(yield* bytesOf(piecesOf(100, 21)))
      assert.strictEqual(one.digest, again.digest)
      assert.notStrictEqual(one.digest, other.digest)
    }))
})

describe("what is not a whole backup", () => {
  test("is refused wherever it was cut off", () =>
    Effect.gen(function* () {
      const bytes = yield* bytesOf(piecesOf(50, 20))
      for (let end = 0; end < bytes.byteLength; end++) {
        const result = yield* Effect.result(read(bytes.subarray(0, end)))
        assert.isTrue(Result.isFailure(result), `cut at ${end}`)
        if (Result.isFailure(result))
          assert.include(["CutOff", "NotABackup"], result.failure.reason._tag, `cut at ${end}`)
      }
    }))

  test("is refused with one bit changed in any byte", () =>
    Effect.gen(function* () {
      const bytes = yield* bytesOf(piecesOf(50, 20))
      for (let at = 0; at < bytes.byteLength; at++) {
        const changed = bytes.slice()
        changed[at]! ^= 1 << (at % 8)
        assert.isTrue(Result.isFailure(yield* Effect.result(read(changed))), `byte ${at}`)
      }
    }))

  test("is refused with a piece left out, two of them swapped, or something after its end", () =>
    Effect.gen(function* () {
      const pieces = piecesOf(30, 30, 30)
      const bytes = yield* bytesOf(pieces)
      const pieceBytes = BackupFormat.lengthBytes + 30 + BackupFormat.digestBytes
      const endBytes = BackupFormat.lengthBytes + BackupFormat.totalBytes + BackupFormat.digestBytes
      const first = bytes.byteLength - endBytes - 3 * pieceBytes
      const part = (number: number) =>
        bytes.subarray(first + number * pieceBytes, first + (number + 1) * pieceBytes)
      const rest = bytes.subarray(first + 3 * pieceBytes)
      const wrong = [
        [bytes.subarray(0, first), part(0), part(2), rest],
        [bytes.subarray(0, first), part(1), part(0), part(2), rest],
        [bytes, Uint8Array.of(0)]
      ]
      for (const parts of wrong) {
        const failure = yield* Effect.flip(read(Uint8Array.from(Buffer.concat(parts))))
        assert.strictEqual(failure.reason._tag, "Damaged")
      }
    }))

  test("is told from a newer one, and from anything else", () =>
    Effect.gen(function* () {
      const newer = BackupFormat.encodeHeader(header, BackupFormat.formatVersion + 1)
      const failure = yield* Effect.flip(read(newer))
      assert.strictEqual(
        failure.message,
        "it has format version 2; this program reads up to 1. Use a newer one"
      )
      const nonsense = yield* Effect.flip(read(new TextEncoder().encode("raft-wal, or something else")))
      assert.strictEqual(nonsense.reason._tag, "NotABackup")
    }))
})
