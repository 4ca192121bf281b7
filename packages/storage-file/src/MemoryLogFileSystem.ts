/**
 * Files in memory that behave as files do when the power fails: for the tests of the log, and for a
 * simulator that runs the real log on them. No operation ever waits, so all of it runs under
 * `Effect.runSync`.
 *
 * A write is visible at once, and kept only from the next `sync` on; so is a name, with the `sync` of its
 * directory. `restart` cuts the power and gives it back: the caller says which of the un-synced bytes and
 * names were lucky. Operations that change something are counted, and the n-th can be made to fail, or to
 * be the last before the power goes.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { StorageError, StoreLocked } from "@effect-raft/core/RaftStorage"
import { ioFailed } from "./IoError.ts"
import { LogFileSystem } from "./LogFileSystem.ts"
import * as MemoryInode from "./MemoryInode.ts"
import type { Inode, UnsyncedBytes } from "./MemoryInode.ts"
import type { LogDirectory, LogFile, ReadableDirectory } from "./LogFileSystem.ts"

export interface RestartOptions {
  readonly bytes: UnsyncedBytes
  /** Whether names that were made, changed or removed without a sync are so after all: none, all, or those chosen. */
  readonly names: "Lost" | "Kept" | ((name: string) => boolean)
}

export interface MemoryLogFileSystem {
  readonly files: LogFileSystem["Service"]
  readonly layer: Layer.Layer<LogFileSystem>
  /** Operations that changed something, or tried to, since the beginning. */
  readonly operations: () => number
  /** The operation after the next `count` others fails with this error; `onFailure` is told which it was. */
  readonly failAfter: (count: number, code: "EIO" | "ENOSPC", onFailure?: (operation: string) => void) => void
  /** No failure waits any more, nor does the end of the power. */
  readonly mend: () => void
  /** Whether the power has gone, as `powerOffAfter` said, and `restart` has not brought it back. */
  readonly isPowerOff: () => boolean
  /** Bytes that a loss of power may take now. */
  readonly unsyncedBytes: () => number
  /** After the next `count` operations and the writing of one more, if it is a write, nothing works. */
  readonly powerOffAfter: (count: number) => void
  /** The power fails, and comes back. Whatever is still open is dead, and all locks are free. */
  readonly restart: (options: RestartOptions) => void
  /** The process dies, the machine stays up: nothing is lost, whatever is still open is dead. */
  readonly kill: () => void
  /** The visible bytes of a file, to be looked at and to be damaged. */
  readonly bytesOf: (directory: string, name: string) => Uint8Array
  readonly replace: (directory: string, name: string, bytes: Uint8Array) => void
  readonly remove: (directory: string, name: string) => void
  readonly namesOf: (directory: string) => ReadonlyArray<string>
}

interface Directory {
  names: Map<string, Inode>
  durableNames: Map<string, Inode>
  owner: string | undefined
}

interface Failure {
  readonly at: number
  readonly code: string
  readonly onFailure: (operation: string) => void
}

interface Machine {
  readonly directories: Map<string, Directory>
  /** Grows when what is open dies. */
  life: number
  operations: number
  failure: Failure | undefined
  powerOffAt: number
}

export const make = (): MemoryLogFileSystem => {
  const machine: Machine = {
    directories: new Map(),
    life: 0,
    operations: 0,
    failure: undefined,
    powerOffAt: Infinity
  }
  const namesIn = (directory: string) => directoryOf(machine, directory).names
  const files = LogFileSystem.of({
    openDirectory: (path) => Effect.sync(() => toLogDirectory(machine, path)),
    lookInto: (path) =>
      machine.directories.has(path)
        ? Effect.succeed(toReadableDirectory(machine, path))
        : Effect.fail(ioFailed("list", path)(new Errno("ENOENT", "no directory")))
  })
  return {
    files,
    layer: Layer.succeed(LogFileSystem, files),
    operations: () => machine.operations,
    failAfter: (count, code, onFailure = () => undefined) => {
      machine.failure = { at: machine.operations + count, code, onFailure }
    },
    mend: () => {
      machine.failure = undefined
      machine.powerOffAt = Infinity
    },
    isPowerOff: () => machine.operations > machine.powerOffAt,
    unsyncedBytes: () => unsyncedBytes(machine),
    powerOffAfter: (count) => {
      machine.powerOffAt = machine.operations + count
    },
    restart: (options) => restart(machine, options),
    kill: () => endLife(machine),
    bytesOf: (directory, name) => namesIn(directory).get(name)?.visible ?? new Uint8Array(0),
    replace: (directory, name, bytes) =>
      void namesIn(directory).set(name, { visible: bytes, durable: bytes.slice(), unsynced: [] }),
    remove: (directory, name) => void namesIn(directory).delete(name),
    namesOf: (directory) => Array.from(namesIn(directory).keys())
  }
}

const directoryOf = (machine: Machine, path: string): Directory => {
  const known = machine.directories.get(path)
  if (known !== undefined) return known
  const directory: Directory = { names: new Map(), durableNames: new Map(), owner: undefined }
  machine.directories.set(path, directory)
  return directory
}

const endLife = (machine: Machine): void => {
  machine.life++
  machine.powerOffAt = Infinity
  machine.failure = undefined
  for (const directory of machine.directories.values()) directory.owner = undefined
}

const inodesOf = ({ durableNames, names }: Directory): ReadonlySet<Inode> =>
  new Set([...names.values(), ...durableNames.values()])

const unsyncedBytes = (machine: Machine): number => {
  let bytes = 0
  for (const directory of machine.directories.values()) {
    for (const inode of inodesOf(directory)) bytes += MemoryInode.unsyncedBytes(inode)
  }
  return bytes
}

const restart = (machine: Machine, { bytes, names }: RestartOptions): void => {
  endLife(machine)
  let budget = "firstBytes" in bytes ? bytes.firstBytes : Infinity
  for (const directory of machine.directories.values()) {
    for (const inode of inodesOf(directory)) {
      budget = MemoryInode.crash(inode, bytes, budget)
    }
    keepNames(directory, typeof names === "string" ? () => names === "Kept" : names)
    directory.names = new Map(directory.durableNames)
  }
}

const keepNames = (directory: Directory, isKept: (name: string) => boolean): void => {
  const { durableNames, names } = directory
  for (const [name, inode] of Array.from(durableNames)) {
    if (names.has(name)) continue
    // A file that was renamed has its old name or the new one, not none.
    const newName = Array.from(names).find(([, other]) => other === inode)?.[0]
    if (isKept(newName ?? name)) durableNames.delete(name)
  }
  for (const [name, inode] of names) if (isKept(name)) durableNames.set(name, inode)
}

class Errno extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** An operation of one life, which counts, and which the machine may make fail. */
const changing = <A>(
  machine: Machine,
  life: number,
  operation: string,
  location: string,
  change: (failure: string | undefined) => A
): Effect.Effect<A, StorageError> =>
  Effect.try({
    try: () => {
      expectAlive(machine, life)
      const position = machine.operations++
      const failure = failureAt(machine, position, operation)
      const result = change(failure)
      if (failure !== undefined) throw new Errno(failure, failure)
      if (position >= machine.powerOffAt) throw new Errno("POWER", "the power went off")
      return result
    },
    catch: ioFailed(operation, location)
  })

const failureAt = ({ failure }: Machine, position: number, operation: string): string | undefined => {
  if (failure?.at !== position) return undefined
  failure.onFailure(operation)
  return failure.code
}

const looking = <A>(machine: Machine, life: number, operation: string, location: string, look: () => A) =>
  Effect.try({
    try: () => {
      expectAlive(machine, life)
      return look()
    },
    catch: ioFailed(operation, location)
  })

const expectAlive = (machine: Machine, life: number): void => {
  if (machine.life !== life || machine.operations > machine.powerOffAt)
    throw new Errno("POWER", "the power is off")
}

const toReadableDirectory = (machine: Machine, path: string): ReadableDirectory => {
  const { life } = machine
  const directory = directoryOf(machine, path)
  return {
    path,
    list: looking(machine, life, "list", path, () => Array.from(directory.names.keys())),
    read: (name) =>
      looking(machine, life, "read", join(path, name), () => inodeOf(directory, name).visible.slice()),
    openToRead: (name) =>
      looking(machine, life, "open", join(path, name), () =>
        toLogFile(machine, inodeOf(directory, name), join(path, name))
      )
  }
}

const inodeOf = (directory: Directory, name: string): Inode => {
  const inode = directory.names.get(name)
  if (inode === undefined) throw new Errno("ENOENT", `no file ${name}`)
  return inode
}

const toLogDirectory = (machine: Machine, path: string): LogDirectory => {
  const { life } = machine
  const directory = directoryOf(machine, path)
  /** A change of names takes place unless it fails or the power is already off. */
  const rename = (operation: string, name: string, change: () => void) =>
    changing(machine, life, operation, join(path, name), (failure) => {
      if (failure === undefined && machine.operations <= machine.powerOffAt) change()
    })

  return {
    ...toReadableDirectory(machine, path),
    lock: Effect.asVoid(Effect.acquireRelease(lock(directory, path), unlock(machine, directory))),
    sign: (owner) => looking(machine, life, "sign", path, () => void (directory.owner = owner)),
    create: (name, bytes) =>
      changing(machine, life, "open", join(path, name), (failure) => {
        if (directory.names.has(name)) throw new Errno("EEXIST", `${name} is there`)
        const inode = MemoryInode.make(failure === undefined ? bytes : 0)
        directory.names.set(name, inode)
        return toLogFile(machine, inode, join(path, name))
      }),
    open: (name) =>
      looking(machine, life, "open", join(path, name), () =>
        toLogFile(machine, inodeOf(directory, name), join(path, name))
      ),
    rename: (from, to) =>
      rename("rename", from, () => {
        directory.names.set(to, inodeOf(directory, from))
        directory.names.delete(from)
      }),
    remove: (name) =>
      rename("remove", name, () => {
        inodeOf(directory, name)
        directory.names.delete(name)
      }),
    sync: rename("sync", "", () => {
      directory.durableNames = new Map(directory.names)
    })
  }
}

const lock = (directory: Directory, path: string) =>
  Effect.suspend(() => {
    if (directory.owner !== undefined) {
      return Effect.fail(
        new StorageError({ reason: new StoreLocked({ location: path, owner: directory.owner }) })
      )
    }
    directory.owner = "a store that has not said its name"
    return Effect.void
  })

const unlock = (machine: Machine, directory: Directory) => {
  const { life } = machine
  return () =>
    Effect.sync(() => {
      if (machine.life === life) directory.owner = undefined
    })
}

const toLogFile = (machine: Machine, inode: Inode, path: string): LogFile => {
  const { life } = machine
  return {
    sizeBytes: looking(machine, life, "look at", path, () => inode.visible.byteLength),
    read: (position, bytes) =>
      looking(machine, life, "read", path, () => inode.visible.slice(position, position + bytes)),
    truncate: (bytes) =>
      changing(machine, life, "truncate", path, (failure) => {
        if (failure === undefined) MemoryInode.cut(inode, bytes)
      }),
    write: (parts, position) =>
      changing(machine, life, "write", path, (failure) => {
        if (failure === undefined) MemoryInode.write(inode, parts, position)
      }),
    sync: changing(machine, life, "flush", path, (failure) => {
      if (machine.operations > machine.powerOffAt) return
      MemoryInode.sync(inode, failure !== undefined)
    }),
    close: Effect.void
  }
}
