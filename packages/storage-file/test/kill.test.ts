/** A real process that writes to real files is killed: what it acknowledged is there, and the lock is free. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import { segmentBytes, temporaryDirectory, withStore } from "./support.ts"

const child = fileURLToPath(new URL("./kill-child.ts", import.meta.url))

interface Writer {
  readonly kill: Effect.Effect<number>
}

/** Starts a process that writes entry after entry, and waits until it has acknowledged `atLeast`. */
const startWriter = (directory: string, atLeast: number) =>
  Effect.callback<Writer, Error>((resume) => {
    const process_ = spawn(process.execPath, [child, directory, String(segmentBytes)], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let acknowledged = 0
    let errors = ""
    let output = ""
    const kill = Effect.callback<number>((done) => {
      process_.once("close", () => done(Effect.succeed(acknowledged)))
      process_.kill("SIGKILL")
    })
    process_.stderr.on("data", (text) => (errors += text))
    process_.stdout.on("data", (text) => {
      const lines = (output + text).split("\n")
      output = lines.pop() ?? ""
      for (const line of lines) acknowledged = Number(line)
      if (acknowledged >= atLeast) resume(Effect.succeed({ kill }))
    })
    process_.once("exit", (code) =>
      resume(Effect.fail(new Error(`the writer ended with ${code}: ${errors}`)))
    )
    return Effect.sync(() => process_.kill("SIGKILL"))
  })

it.live(
  "a killed process loses nothing that it acknowledged, and leaves no lock behind",
  () =>
    Effect.gen(function* () {
      const directory = join(yield* temporaryDirectory, "n1")
      const options = { directory, segmentBytes }
      for (const atLeast of [50, 120, 200]) {
        const writer = yield* startWriter(directory, atLeast)
        const refused = yield* Effect.flip(withStore(NodeLogFileSystem.layer, () => Effect.void, options))
        assert.strictEqual(refused.reason._tag, "StoreLocked")
        const acknowledged = yield* writer.kill
        const { entries } = yield* withStore(
          NodeLogFileSystem.layer,
          (store) => Effect.sync(() => StorageModel.ofRecovered(store.recovered)),
          options
        )
        assert.isAtLeast(acknowledged, atLeast)
        assert.isAtLeast(entries.length, acknowledged)
        assert.isAtMost(entries.length, acknowledged + 64, "more than one pipe of numbers is unread")
        entries.forEach(({ index }, position) => assert.strictEqual(index, position + 1))
      }
    }),
  30_000
)
