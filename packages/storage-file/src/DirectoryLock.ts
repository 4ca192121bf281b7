/**
 * The lock of a directory against other processes, and against other stores of this process.
 *
 * Node has no `flock`. SQLite, which comes with Node, takes an operating system's lock on a file: it is
 * exclusive across processes and containers, it is gone when the process is, however it died, and no
 * process number has to be compared. So the lock is an empty SQLite file with an exclusive transaction
 * that is never committed. See docs/decisions/0011-directory-lock.md.
 */
import * as Effect from "effect/Effect"
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StorageError, StoreLocked } from "@effect-raft/core/RaftStorage"
import { ioFailed } from "./IoError.ts"
import { ownerFileName } from "./LogFileSystem.ts"

/** The file that is locked. */
export const lockFileName = "store.lock"

const busyCode = 5
const cannotOpenCode = 14
const notADatabaseCode = 26

/** Holds the lock until the scope closes; fails with `StoreLocked` when somebody has it. */
export const acquire = (directory: string) =>
  Effect.acquireRelease(
    Effect.suspend(() => take(directory)),
    (database) => Effect.sync(() => database.close())
  )

/** Says who has the lock. Not before its holder has found the store to be its own. */
export const sign = (directory: string, owner: string): Effect.Effect<void, StorageError> => {
  const path = join(directory, ownerFileName)
  return Effect.try({
    try: () => writeFileSync(path, `${owner}, process ${process.pid} on ${hostname()}\n`),
    catch: ioFailed("write", path)
  })
}

const take = (directory: string): Effect.Effect<DatabaseSync, StorageError> => {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(directory, lockFileName), { timeout: 0 })
    database.exec("PRAGMA journal_mode = MEMORY")
    database.exec("BEGIN EXCLUSIVE")
    return Effect.succeed(database)
  } catch (cause) {
    if (database?.isOpen === true) database.close()
    return Effect.fail(toStorageError(directory, cause))
  }
}

const toStorageError = (directory: string, cause: unknown): StorageError => {
  const code = cause instanceof Error && "errcode" in cause ? cause.errcode : undefined
  if (code === busyCode)
    return new StorageError({ reason: new StoreLocked({ location: directory, owner: readOwner(directory) }) })
  const path = join(directory, lockFileName)
  if (code === notADatabaseCode)
    return ioFailed("lock", path)("somebody wrote into it; remove it while no node has this directory")
  return ioFailed("lock", path)(code === cannotOpenCode ? whyNotOpened(path, cause) : cause)
}

/** SQLite only says that it could not open the file; the system says why. */
const whyNotOpened = (path: string, otherwise: unknown): unknown => {
  try {
    closeSync(openSync(path, "a"))
    return otherwise
  } catch (cause) {
    return cause
  }
}

const readOwner = (directory: string): string => {
  const nameless = "another process, which has not said its name"
  try {
    return readFileSync(join(directory, ownerFileName), "utf8").trim() || nameless
  } catch {
    return nameless
  }
}
