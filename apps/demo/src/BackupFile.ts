/**
 * A backup as a file: written aside, checked on the way, durable before it gets its name; and read back.
 */
import * as Backup from "@effect-raft/core/Backup"
import type { BackupError } from "@effect-raft/core/BackupError"
import { BackupHeader } from "@effect-raft/core/BackupFormat"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { CommandFailed } from "./ExitCode.ts"
import { fail } from "./ExitCode.ts"
import * as FileError from "./FileError.ts"

/** What is known of a backup of which every byte was checked. */
export const BackupReport = Schema.Struct({
  file: Schema.String,
  header: BackupHeader,
  /** Bytes of the machine's snapshot in it. */
  contentsBytes: Schema.Natural,
  /** SHA-256, in hexadecimal: names this very backup. */
  digest: Schema.String
})
export type BackupReport = typeof BackupReport.Type

/** Reads all of a backup, and gives what it is when every byte was as written. */
const checkAll = <E, R>(file: string, bytes: Stream.Stream<Uint8Array, E, R>) =>
  Effect.gen(function* () {
    const backup = yield* Backup.open(bytes)
    const contentsBytes = yield* Stream.runFold(
      backup.contents,
      () => 0,
      (total, piece) => total + piece.byteLength
    )
    const report: BackupReport = {
      file,
      header: backup.header,
      contentsBytes,
      digest: Hex.encode(backup.digest())
    }
    return report
  }).pipe(Effect.scoped, Effect.provide(Digest.layerWebCrypto))

/** Fails where there is a file of this name. */
export const refuseOverwriting = Effect.fnUntraced(
  function* (file: string) {
    const fs = yield* FileSystem.FileSystem
    if (yield* fs.exists(file)) {
      return yield* fail(`${file} is there already; nothing was changed. Name another file`)
    }
  },
  (checked, file) =>
    Effect.catchTag(checked, "PlatformError", (error) =>
      Effect.fail(fail(`${file} cannot be written: ${FileError.describe(error)}`))
    )
)

/** Keeps these bytes in `file`, which must not be there, if they are a whole backup; else nothing is left. */
export const write = <R>(file: string, bytes: Stream.Stream<Uint8Array, CommandFailed, R>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const part = `${file}.part`
    yield* refuseOverwriting(file)
    const report = yield* Effect.acquireUseRelease(
      openPart(part),
      (out) =>
        checkAll(
          file,
          Stream.tap(bytes, (chunk) => out.writeAll(chunk))
        ).pipe(
          Effect.tap(() => out.sync),
          Effect.tap(() => fs.rename(part, file))
        ),
      (_, exit) => (Exit.isSuccess(exit) ? Effect.void : removePart(part))
    )
    yield* syncDirectoryOf(file)
    return report
  }).pipe(
    Effect.scoped,
    Effect.catchTags({
      BackupError: (error) =>
        Effect.fail(fail(`What the node sent cannot be kept: ${error.message}. Nothing was written`)),
      PlatformError: (error) => Effect.fail(fail(`${file} cannot be written: ${FileError.describe(error)}`))
    })
  )

const openPart = (part: string) =>
  Effect.catchReason(
    FileSystem.FileSystem.use((fs) => fs.open(part, { flag: "wx" })),
    "PlatformError",
    "AlreadyExists",
    () =>
      Effect.fail(
        fail(
          `${part} is there: another backup is being written, or one was cut short. Remove it if none is running`
        )
      )
  )

const removePart = (part: string) =>
  FileSystem.FileSystem.use((fs) => fs.remove(part)).pipe(
    Effect.catch(({ message }) => Effect.logWarning(`${part} could not be removed: ${message}`))
  )

/** The name is durable, too. */
const syncDirectoryOf = (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const directory = yield* fs.open(path.dirname(path.resolve(file)), { flag: "r" })
    yield* directory.sync
  }).pipe(Effect.scoped)

/** Bytes of a file that are read at a time. */
const chunkBytes = 256 * 1024

const bytesOf = (file: string) =>
  Stream.unwrap(FileSystem.FileSystem.use((fs) => Effect.succeed(fs.stream(file, { chunkSize: chunkBytes }))))

/** Checks every byte of a backup. */
export const check = (file: string) =>
  Effect.mapError(checkAll(file, bytesOf(file)), (error) => unreadable(file, error))

/** Uses the contents of a backup, which are checked as they are read. */
export const use = <A, E, R>(
  file: string,
  f: (backup: Backup.Backup<CommandFailed>) => Effect.Effect<A, E, R>
) =>
  Effect.flatMap(Backup.open(Stream.mapError(bytesOf(file), (error) => unreadable(file, error))), f).pipe(
    Effect.scoped,
    Effect.provide(Digest.layerWebCrypto)
  )

/** What is wrong with a file, in words for its user. */
const unreadable = (file: string, error: BackupError | PlatformError.PlatformError): CommandFailed =>
  fail(
    error._tag === "BackupError"
      ? `${file}: ${error.message}`
      : `${file} cannot be read: ${FileError.describe(error)}`
  )
