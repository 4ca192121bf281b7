/**
 * A simulated run in files: its trace, and the history of its clients, one JSON object a line.
 */
import * as KvHistory from "@effect-raft/core/testing/KvHistory"
import type * as Simulation from "@effect-raft/core/testing/Simulation"
import * as TraceEvent from "@effect-raft/core/TraceEvent"
import type { KvCommand } from "@effect-raft/kv/KvCommand"
import type { KvView } from "@effect-raft/kv/KvMachine"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { CommandFailed } from "../ExitCode.ts"
import { fail } from "../ExitCode.ts"
import * as KvWorkload from "./KvWorkload.ts"

export type Run = Simulation.Report<KvCommand, KvView>

/** Where to write; nothing is written where no file is named. */
export interface Files {
  readonly trace: string | undefined
  readonly history: string | undefined
}

export const write = (files: Files, run: Run): Effect.Effect<void, CommandFailed, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    if (files.trace !== undefined) {
      yield* writeText(
        "--trace",
        files.trace,
        run.traceEvents.map((event) => `${TraceEvent.toLine(event)}\n`).join("")
      )
    }
    if (files.history !== undefined) {
      const lines = yield* Effect.orDie(KvHistory.encode(KvWorkload.operationsOf(run.history)))
      yield* writeText("--history", files.history, lines)
    }
  })

const writeText = (flag: string, path: string, text: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.writeFileString(path, text)
  }).pipe(Effect.mapError((error) => fail(`cannot write ${flag} ${path}: ${error.message}`)))
