/**
 * The files of the write-ahead log, on Node.
 *
 * A record is written on the event loop, by one vectored call into the page cache, which takes
 * microseconds. The flush runs there too while the disk is quick, and in Node's thread pool when it is
 * not, so that the node goes on talking to its peers meanwhile (`FlushPlace`). Files have their size beforehand, and
 * small writes take zeros along, because a flush that has to record new blocks takes longer (`Preallocation`).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { join, resolve } from "node:path"
import type { StorageError } from "@effect-raft/core/RaftStorage"
import * as DirectoryLock from "./DirectoryLock.ts"
import { FlushPlace } from "./FlushPlace.ts"
import { ioFailed } from "./IoError.ts"
import { LogFileSystem } from "./LogFileSystem.ts"
import type { LogDirectory, LogFile, ReadableDirectory, ReadableFile } from "./LogFileSystem.ts"
import * as NewDirectory from "./NewDirectory.ts"
import * as Preallocation from "./Preallocation.ts"

const attempt = <A>(operation: string, location: string, call: () => A) =>
  Effect.try({ try: call, catch: ioFailed(operation, location) })

/** A call that runs in the thread pool. Interruption leaves it to itself: that is no harm to a flush or a read. */
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

/** A change of names, which nobody may leave to itself: it could come after what is done next. */
const renaming = (
  operation: string,
  location: string,
  start: (done: (cause: Error | null) => void) => void
) => Effect.uninterruptible(inPool<void>(operation, location, (done) => start((cause) => done(cause))))

const openDirectory = Effect.fnUntraced(function* (path: string) {
  const directory = resolve(path)
  yield* attempt("make the directory", directory, () => NewDirectory.make(directory))
  return toLogDirectory(directory)
})

const syncDirectoryInPool = (path: string) =>
  Effect.acquireUseRelease(
    openFile(path, "r"),
    ({ descriptor }) => inPool<void>("sync", path, (done) => Fs.fsync(descriptor, (cause) => done(cause))),
    ({ file }) => file.close
  )

const toReadableDirectory = (directory: string): ReadableDirectory => {
  const at = (name: string) => join(directory, name)
  return {
    path: directory,
    list: attempt("list", directory, () => Fs.readdirSync(directory)),
    read: (name) => inPool<Uint8Array>("read", at(name), (done) => Fs.readFile(at(name), done)),
    openToRead: (name) => Effect.map(openFile(at(name), "r"), ({ file }): ReadableFile => file)
  }
}

const toLogDirectory = (directory: string): LogDirectory => {
  const at = (name: string) => join(directory, name)
  return {
    ...toReadableDirectory(directory),
    lock: DirectoryLock.acquire(directory),
    sign: (owner) => DirectoryLock.sign(directory, owner),
    create: (name, bytes) =>
      Effect.map(
        attempt("open", at(name), () => makeFile(at(name), bytes)),
        (descriptor) => toLogFile(at(name), descriptor, { sizeBytes: bytes, filledBytes: 0 }, 0)
      ),
    open: (name) => Effect.map(openFile(at(name), "r+"), ({ file }) => file),
    rename: (from, to) => renaming("rename", at(from), (done) => Fs.rename(at(from), at(to), done)),
    remove: (name) => renaming("remove", at(name), (done) => Fs.rm(at(name), done)),
    sync: syncDirectoryInPool(directory)
  }
}

/** A new file of this size without blocks. */
const makeFile = (path: string, bytes: number): number => {
  const descriptor = Fs.openSync(path, "wx+")
  try {
    Fs.ftruncateSync(descriptor, bytes)
    return descriptor
  } catch (cause) {
    Fs.closeSync(descriptor)
    throw cause
  }
}

/** Nobody knows what the process before this one has left to be flushed. */
const unknownBytes = Number.POSITIVE_INFINITY

const openFile = (path: string, flags: string) =>
  attempt("open", path, () => {
    const descriptor = Fs.openSync(path, flags)
    const file = toLogFile(path, descriptor, groundOf(Fs.fstatSync(descriptor)), unknownBytes)
    return { descriptor, file }
  })

const unitOfBlocksBytes = 512

/** A log is written from its start on, so all of its blocks are there. */
const groundOf = ({ blocks, size }: Fs.Stats): Preallocation.Ground => ({
  sizeBytes: size,
  filledBytes: Math.min(size, blocks * unitOfBlocksBytes)
})

const toLogFile = (
  path: string,
  descriptor: number,
  { filledBytes, sizeBytes }: Preallocation.Ground,
  unflushedBytes: number
): LogFile => {
  const writeAtOnce = (parts: ReadonlyArray<Uint8Array>, position: number): void => {
    const bytes = lengthOf(parts)
    const end = position + bytes
    const zeros = Preallocation.zerosAfter({ filledBytes, sizeBytes }, end, bytes)
    writeAll(descriptor, zeros.byteLength === 0 ? parts : [...parts, zeros], position)
    filledBytes = Math.max(filledBytes, end + zeros.byteLength)
    unflushedBytes += bytes + zeros.byteLength
  }
  const expectName = makeExpectName(path, descriptor)
  return {
    sizeBytes: attempt("look at", path, () => Fs.fstatSync(descriptor).size),
    read: (position, bytes) => readUpTo(path, descriptor, position, bytes),
    truncate: (bytes) => attempt("truncate", path, () => Fs.ftruncateSync(descriptor, bytes)),
    write: (parts, position) => attempt("write", path, () => writeAtOnce(parts, position)),
    sync: Effect.suspend(() => {
      const bytes = unflushedBytes
      unflushedBytes = 0
      return Effect.andThen(flush(path, descriptor, bytes), expectName)
    }),
    close: Effect.catch(
      attempt("close", path, () => Fs.closeSync(descriptor)),
      (error) => Effect.logWarning("A file of the log could not be closed", error)
    )
  }
}

/**
 * A file that has no name any more goes on taking writes, and is gone with the process. It is asked now and then only,
 * and not with every flush: who looks at a file sees its times, so the file system notes the time of the next write
 * exactly, which that write's flush has to commit as well, and takes half as long again (docs/PERFORMANCE.md).
 */
const lookMillis = 100

/** To be run after each flush of the file. */
const makeExpectName = (path: string, descriptor: number) => {
  let lookedMillis = Number.NEGATIVE_INFINITY
  return Effect.suspend(() => {
    const nowMillis = performance.now()
    if (nowMillis - lookedMillis < lookMillis) return Effect.void
    lookedMillis = nowMillis
    return attempt("flush", path, () => {
      if (Fs.fstatSync(descriptor).nlink === 0) throw new Error("the file was removed while the node ran")
    })
  })
}

/** The disk under all files of this process. */
const flushPlace = new FlushPlace()

const flush = (path: string, descriptor: number, bytes: number): Effect.Effect<void, StorageError> => {
  const startMillis = performance.now()
  if (flushPlace.isLoop(bytes)) {
    return attempt("flush", path, () => {
      Fs.fdatasyncSync(descriptor)
      flushPlace.ranOnLoop(performance.now() - startMillis)
    })
  }
  flushPlace.startInPool(bytes)
  return Effect.onExit(
    inPool<void>("flush", path, (done) => Fs.fdatasync(descriptor, (cause) => done(cause))),
    (exit) =>
      Effect.sync(() => {
        const millis = performance.now() - startMillis
        flushPlace.endInPool(millis, bytes)
        if (Exit.isSuccess(exit)) flushPlace.ranInPool(millis, bytes)
      })
  )
}

/** A short read is followed by one of the rest, until there is no more. */
const readUpTo = Effect.fnUntraced(function* (
  path: string,
  descriptor: number,
  position: number,
  bytes: number
) {
  const buffer = new Uint8Array(bytes)
  let filled = 0
  while (filled < bytes) {
    const from = filled
    const got = yield* inPool<number>("read", path, (done) =>
      Fs.read(descriptor, buffer, from, bytes - from, position + from, done)
    )
    if (got === 0) break
    filled += got
  }
  return buffer.subarray(0, filled)
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

const lengthOf = (parts: ReadonlyArray<Uint8Array>): number => {
  let bytes = 0
  for (const part of parts) bytes += part.byteLength
  return bytes
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
  LogFileSystem.of({
    openDirectory,
    lookInto: (path) => Effect.sync(() => toReadableDirectory(resolve(path)))
  })
)
