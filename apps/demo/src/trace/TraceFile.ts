/**
 * `--trace FILE`: what a node does, as lines of JSON at the end of a file (`docs/trace.md`).
 *
 * The file is appended to, so that a node that is started again goes on with its story. A node that is
 * killed leaves what was written until then; a line that it left unfinished stands by itself.
 */
import { RaftTrace } from "@effect-raft/core/RaftTrace"
import * as TraceRecorder from "@effect-raft/core/TraceRecorder"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as PlatformError from "effect/PlatformError"
import { fail } from "../ExitCode.ts"
import * as TraceSink from "./TraceSink.ts"

/** Has every node that is started under it write its trace to the file at `path`. */
export const layer = (path: string) => Layer.effect(RaftTrace, make(path))

const make = Effect.fnUntraced(function* (path: string) {
  const clock = yield* Clock.Clock
  const file = yield* open(path)
  const { emit } = yield* TraceSink.make((lines) => file.writeAll(new TextEncoder().encode(lines)))
  // Since the epoch, as the wall clock says now, and then by the clock that does not go back.
  const monotonicMillis = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  const originMillis = clock.currentTimeMillisUnsafe() - monotonicMillis()
  const nowMillis = () => originMillis + monotonicMillis()
  return (nodeId: TraceRecorder.Options["nodeId"]) => TraceRecorder.make({ nodeId, nowMillis, emit })
})

const open = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(path, { flag: "a+" })
    if (yield* endsUnfinished(file)) yield* file.writeAll(new TextEncoder().encode("\n"))
    return file
  }).pipe(Effect.mapError((error) => fail(`Cannot write the trace to ${path} (--trace): ${reasonOf(error)}`)))

const endsUnfinished = Effect.fnUntraced(function* (file: FileSystem.File) {
  const { size } = yield* file.stat
  if (size === 0n) return false
  const last = new Uint8Array(1)
  yield* file.read(last, { position: size - 1n })
  return last[0] !== "\n".charCodeAt(0)
})

const reasonOf = ({ reason, message }: PlatformError.PlatformError): string => {
  switch (reason._tag) {
    case "NotFound":
      return "its directory does not exist"
    case "PermissionDenied":
      return "permission denied"
    default:
      return message
  }
}
