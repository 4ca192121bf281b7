/**
 * The lock of a directory against other processes, and against other stores of this process.
 *
 * Node has no `flock`. SQLite, which comes with Node, takes an operating system's lock on a file: it is
 * exclusive across processes and containers, it is gone when the process is, however it died, and no
 * process number has to be compared. So the lock is an empty SQLite file with an exclusive transaction
 * that is never committed. See docs/decisions/0011-directory-lock.md.
 */
import * as Effect from "effect/Effect"
import { readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { IoFailed, StorageError, StoreLocked } from "@effect-raft/core/RaftStorage"

/** The file that is locked. */
export const lockFileName = "store.lock"

/** Who has the lock, in words. For the message only: nobody decides by what it says. */
export const ownerFileName = "store.owner"

const busyCode = 5

/** Holds the lock until the scope closes; fails with `StoreLocked` when somebody has it. */
export const acquire = (directory: string, owner: string) =>
  Effect.acquireRelease(
    Effect.suspend(() => take(directory, owner)),
    (database) => Effect.sync(() => database.close())
  )

const take = (directory: string, owner: string): Effect.Effect<DatabaseSync, StorageError> => {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(directory, lockFileName), { timeout: 0 })
    database.exec("PRAGMA journal_mode = MEMORY")
    database.exec("BEGIN EXCLUSIVE")
    writeFileSync(join(directory, ownerFileName), `${owner}, process ${process.pid} on ${hostname()}\n`)
    return Effect.succeed(database)
  } catch (cause) {
    if (database?.isOpen === true) database.close()
    return Effect.fail(new StorageError({ reason: toReason(directory, cause) }))
  }
}

const toReason = (directory: string, cause: unknown) =>
  cause instanceof Error && "errcode" in cause && cause.errcode === busyCode
    ? new StoreLocked({ location: directory, owner: readOwner(directory) })
    : new IoFailed({
        operation: "lock",
        location: join(directory, lockFileName),
        detail: cause instanceof Error ? cause.message : String(cause)
      })

const readOwner = (directory: string): string => {
  try {
    return readFileSync(join(directory, ownerFileName), "utf8").trim()
  } catch {
    return "another process, which has not said its name"
  }
}
