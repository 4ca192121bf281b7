/**
 * Writing and reading backups, as streams of bytes in bounded memory.
 *
 * A backup is what `Raft.snapshot` gives, with a header that says whose it is. {@link encode} makes its
 * bytes, {@link open} reads them and hands out nothing that it has not checked. A reader may rely on a
 * backup once the stream of its contents has ended by itself.
 */
import * as Bytes from "effect/Bytes"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { BackupError, CutOff, Damaged, NewerBackup, NotABackup } from "./BackupError.ts"
import * as BackupFormat from "./BackupFormat.ts"
import type { BackupHeader } from "./BackupFormat.ts"

/** The next digest of the chain. */
const chain = (before: Uint8Array, ...parts: ReadonlyArray<Uint8Array>) =>
  Digest.Digest.use((digest) => digest.digest(Digest.sha256, Bytes.concat([before, ...parts])))

const nothing: Uint8Array = new Uint8Array(0)

/** The bytes of a backup. The pieces are taken as the bytes are asked for, and never ahead. */
export const encode = <E, R>(
  header: BackupHeader,
  pieces: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<Uint8Array, E, R | Digest.Digest> =>
  Stream.suspend(() => {
    let digest = nothing
    let contentsBytes = 0
    const link = (parts: ReadonlyArray<Uint8Array>) =>
      Effect.map(chain(digest, ...parts), (next) => {
        digest = next
        return Bytes.concat([...parts, next])
      })
    const ofPiece = (piece: Uint8Array) => {
      contentsBytes += piece.byteLength
      return link([BackupFormat.encodeLength(piece.byteLength), piece])
    }
    const ofEnd = () => link([BackupFormat.encodeLength(0), BackupFormat.encodeTotal(contentsBytes)])
    return Stream.fromEffect(link([BackupFormat.encodeHeader(header)])).pipe(
      Stream.concat(Stream.mapEffect(Stream.flatMap(pieces, bounded), ofPiece)),
      Stream.concat(Stream.fromEffect(Effect.suspend(ofEnd)))
    )
  })

/** The same bytes in pieces that are neither empty nor larger than one may be. */
const bounded = (piece: Uint8Array): Stream.Stream<Uint8Array> => {
  const count = Math.ceil(piece.byteLength / BackupFormat.maxPieceBytes)
  return Stream.fromArray(
    Array.from({ length: count }, (_, at) =>
      piece.subarray(at * BackupFormat.maxPieceBytes, (at + 1) * BackupFormat.maxPieceBytes)
    )
  )
}

/** A backup that is being read. */
export interface Backup<E> {
  readonly header: BackupHeader
  /** The machine's snapshot, once. Fails where it is not what was written, or not whole. */
  readonly contents: Stream.Stream<Uint8Array, BackupError | E, Digest.Digest>
  /** The last digest, which names the backup; known when the contents have ended. */
  readonly digest: () => Uint8Array
}

/** Reads and checks the header of a backup, and makes its contents ready to be read. */
export const open = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<Backup<E>, BackupError | E, R | Scope.Scope | Digest.Digest> =>
  Effect.gen(function* () {
    const source = toSource(yield* Stream.toPull(bytes))
    const { header, digest: first } = yield* readHeader(source)
    let digest = first
    let contentsBytes = 0

    const next = Effect.gen(function* () {
      const atByte = source.atByte()
      const length = yield* source.take(BackupFormat.lengthBytes)
      const pieceBytes = BackupFormat.readLength(length)
      if (pieceBytes > BackupFormat.maxPieceBytes) return yield* damaged(atByte, "its length cannot be")
      const contents = yield* source.take(pieceBytes === 0 ? BackupFormat.totalBytes : pieceBytes)
      digest = yield* expectDigest(source, atByte, chain(digest, length, contents))
      if (pieceBytes > 0) {
        contentsBytes += pieceBytes
        return contents
      }
      if (BackupFormat.readTotal(contents) !== contentsBytes)
        return yield* damaged(atByte, "its end tells of more or fewer contents")
      if (yield* source.hasMore) return yield* damaged(source.atByte(), "something follows its end")
      return undefined
    })

    return {
      header,
      contents: Stream.unfold(undefined, () =>
        Effect.map(next, (piece) => (piece === undefined ? undefined : ([piece, undefined] as const)))
      ),
      digest: () => digest
    }
  })

const readHeader = Effect.fnUntraced(function* <E>(source: Source<E>) {
  const prefix = yield* Effect.catchReason(
    source.take(BackupFormat.prefixBytes),
    "BackupError",
    "CutOff",
    () => Effect.succeed(nothing)
  )
  const found = BackupFormat.readPrefix(prefix)
  if (found === undefined) return yield* new BackupError({ reason: new NotABackup({}) })
  if (found.version > BackupFormat.formatVersion) {
    const supported = BackupFormat.formatVersion
    return yield* new BackupError({ reason: new NewerBackup({ found: found.version, supported }) })
  }
  if (found.headerBytes > BackupFormat.maxHeaderBytes)
    return yield* damaged(0, "its header cannot be so long")
  const json = yield* source.take(found.headerBytes)
  const digest = yield* expectDigest(source, 0, chain(nothing, prefix, json))
  const header = yield* Effect.mapError(
    BackupFormat.decodeHeader(new TextDecoder().decode(json)),
    ({ message }) => new BackupError({ reason: new Damaged({ atByte: 0, detail: message }) })
  )
  return { header, digest }
})

const damaged = (atByte: number, detail: string) =>
  Effect.fail(new BackupError({ reason: new Damaged({ atByte, detail }) }))

const expectDigest = Effect.fnUntraced(function* <E>(
  source: Source<E>,
  atByte: number,
  expected: Effect.Effect<Uint8Array, never, Digest.Digest>
) {
  const found = yield* source.take(BackupFormat.digestBytes)
  const digest = yield* expected
  return Bytes.Equivalence(digest, found) ? digest : yield* damaged(atByte, "its digest is another")
})

/** The bytes of a stream, taken by number. */
interface Source<E> {
  /** How many were taken. */
  readonly atByte: () => number
  /** The next `bytes` bytes; fails with `CutOff` where the stream ends before. */
  readonly take: (bytes: number) => Effect.Effect<Uint8Array, BackupError | E>
  readonly hasMore: Effect.Effect<boolean, E>
}

const toSource = <E>(pull: Pull.Pull<ReadonlyArray<Uint8Array>, E>): Source<E> => {
  let waiting: Array<Uint8Array> = []
  let waitingBytes = 0
  let taken = 0

  /** Waits for more bytes; whether any came. */
  const more: Effect.Effect<boolean, E> = pull.pipe(
    Effect.map((chunks) => {
      waiting = waiting.concat(chunks)
      for (const chunk of chunks) waitingBytes += chunk.byteLength
      return true
    }),
    Pull.catchDone(() => Effect.succeed(false))
  )

  const split = (bytes: number): Uint8Array => {
    const all = waiting.length === 1 ? waiting[0]! : Bytes.concat(waiting)
    waiting = [all.subarray(bytes)]
    waitingBytes -= bytes
    taken += bytes
    return all.subarray(0, bytes)
  }

  return {
    atByte: () => taken,
    take: Effect.fnUntraced(function* (bytes: number) {
      while (waitingBytes < bytes) {
        if (!(yield* more)) {
          return yield* new BackupError({ reason: new CutOff({ atByte: taken + waitingBytes }) })
        }
      }
      return split(bytes)
    }),
    hasMore: Effect.gen(function* () {
      while (waitingBytes === 0) if (!(yield* more)) return false
      return true
    })
  }
}
