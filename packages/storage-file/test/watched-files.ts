/** Files in memory that tell what was done with them, and in which order. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LogFileSystem } from "@effect-raft/storage-file/LogFileSystem"
import type { LogFile } from "@effect-raft/storage-file/LogFileSystem"
import type { MemoryLogFileSystem } from "@effect-raft/storage-file/MemoryLogFileSystem"

/**
 * Notes what is made, renamed, written and flushed. Names are `.wal`, `.wal.new`, `.wal.old`, without their
 * numbers.
 */
export const watched = (files: MemoryLogFileSystem, operations: Array<string>) => {
  const ending = (name: string) => name.slice(name.indexOf("."))
  const note = (...words: ReadonlyArray<string>) => Effect.sync(() => void operations.push(words.join(" ")))
  const watch = (name: string, file: LogFile): LogFile => ({
    ...file,
    write: (parts, position) => Effect.andThen(note("write", name), file.write(parts, position)),
    sync: Effect.andThen(note("flush", name), file.sync)
  })
  return Layer.succeed(LogFileSystem, {
    ...files.files,
    openDirectory: (path) =>
      Effect.map(files.files.openDirectory(path), (opened) => ({
        ...opened,
        open: (name) => Effect.map(opened.open(name), (file) => watch(name, file)),
        create: (name, bytes) =>
          Effect.andThen(
            note("create", ending(name)),
            Effect.map(opened.create(name, bytes), (file) => watch(name, file))
          ),
        sync: Effect.andThen(note("sync names"), opened.sync),
        rename: (from, to) =>
          Effect.andThen(note("rename", ending(from), ending(to)), opened.rename(from, to))
      }))
  })
}
