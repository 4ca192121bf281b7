/**
 * The files of the write-ahead log, on Node.
 *
 * A record is written on the event loop, by one vectored call into the page cache, which takes
 * microseconds; what takes long, the flush, runs in Node's thread pool, so that the node goes on talking
 * to its peers meanwhile. Space is filled with zeros beforehand, because a flush that does not have to
 * record a new size takes half the time.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { StorageError } from "@effect-raft/core/RaftStorage"
import * as DirectoryLock from "./DirectoryLock.ts"
import { ioFailed } from "./IoError.ts"
import { LogFileSystem } from "./LogFileSystem.ts"
import type { LogDirectory, LogFile } from "./LogFileSystem.ts"

const fillChunk = new Uint8Array(1024 * 1024)

const attempt = <A>(operation: string, location: string, call: () => A) =>
  Effect.try({ try: call, catch: ioFailed(operation, location) })

/** A call that runs in the thread pool. Interruption leaves it to itself: that is no harm to a flush. */
const inPool = <A>(
  operation: string,
  location: string,
  start: (done: (cause: Error | null, value: A) => void) => void
): Effect.Effect<A, StorageError> =>
  Effect.callback((resume) =>
    start((cause, value) => {
      resume(cause === null ? Effect.succeed(value) : Effect.fail(ioFailed(operation, location)(cause)))
    })
  )

const openDirectory = Effect.fnUntraced(function* (path: string) {
  const directory = resolve(path)
  yield* attempt("make the directory", directory, () => makeDurably(directory))
  return toLogDirectory(directory)
})

/**
 * Makes the directory with its parents, and syncs each directory that got a new name in it. By hand,
 * because Node's own recursive form never comes back where a file system takes no directory (/proc).
 */
const makeDurably = (directory: string): void => {
  const found = Fs.statSync(directory, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  if (found === undefined) makeDurably(dirname(directory))
  try {
    Fs.mkdirSync(directory)
  } catch (cause) {
    // Another node may have made it just now.
    if (Fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) throw cause
  }
  syncDirectory(dirname(directory))
}

const syncDirectory = (path: string): void => {
  const descriptor = Fs.openSync(path, "r")
  try {
    Fs.fsyncSync(descriptor)
  } finally {
    Fs.closeSync(descriptor)
  }
}

const toLogDirectory = (directory: string): LogDirectory => {
  const at = (name: string) => join(directory, name)
  return {
    path: directory,
    list: attempt("list", directory, () => Fs.readdirSync(directory)),
    lock: DirectoryLock.acquire(directory),
    sign: (owner) => DirectoryLock.sign(directory, owner),
    read: (name) => inPool<Uint8Array>("read", at(name), (done) => Fs.readFile(at(name), done)),
    create: (name, bytes) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(openFile(at(name), "wx+"), ({ descriptor, file }) =>
          restore(fill(descriptor, at(name), bytes)).pipe(
            Effect.onError(() => file.close),
            Effect.as(file)
          )
        )
      ),
    open: (name) => Effect.map(openFile(at(name), "r+"), ({ file }) => file),
    rename: (from, to) => attempt("rename", at(from), () => Fs.renameSync(at(from), at(to))),
    remove: (name) => attempt("remove", at(name), () => Fs.rmSync(at(name))),
    sync: attempt("sync", directory, () => syncDirectory(directory))
  }
}

const openFile = (path: string, flags: string) =>
  Effect.map(
    attempt("open", path, () => Fs.openSync(path, flags)),
    (descriptor) => ({ descriptor, file: toLogFile(path, descriptor) })
  )

const fill = Effect.fnUntraced(function* (descriptor: number, path: string, bytes: number) {
  for (let at = 0; at < bytes;) {
    const chunk = Math.min(fillChunk.byteLength, bytes - at)
    const write = inPool<number>("preallocate", path, (done) =>
      Fs.write(descriptor, fillChunk, 0, chunk, at, done)
    )
    // Left to itself, it could write into whatever file has this descriptor next.
    at += yield* Effect.uninterruptible(write)
  }
})

const toLogFile = (path: string, descriptor: number): LogFile => ({
  write: (parts, position) => attempt("write", path, () => writeAll(descriptor, parts, position)),
  sync: inPool<void>("flush", path, (done) => Fs.fdatasync(descriptor, (cause) => done(cause))),
  close: Effect.catch(
    attempt("close", path, () => Fs.closeSync(descriptor)),
    (error) => Effect.logWarning("A file of the log could not be closed", error)
  )
})

/** A short write is followed by one of the rest, which either goes through or says what is wrong. */
const writeAll = (descriptor: number, parts: ReadonlyArray<Uint8Array>, position: number): void => {
  let rest = parts
  let at = position
  while (rest.length > 0) {
    const written = Fs.writevSync(descriptor, rest, at)
    at += written
    rest = after(rest, written)
  }
}

const after = (parts: ReadonlyArray<Uint8Array>, bytes: number): ReadonlyArray<Uint8Array> => {
  let left = bytes
  for (const [position, part] of parts.entries()) {
    if (left < part.byteLength) return [part.subarray(left), ...parts.slice(position + 1)]
    left -= part.byteLength
  }
  return []
}

export const layer: Layer.Layer<LogFileSystem> = Layer.succeed(
  LogFileSystem,
  LogFileSystem.of({ openDirectory })
)
