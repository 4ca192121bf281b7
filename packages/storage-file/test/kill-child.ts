/** The process that `kill.test.ts` kills: appends one entry after the other and prints each that is durable. */
import * as Effect from "effect/Effect"
import { writeSync } from "node:fs"
import * as StorageModel from "@effect-raft/core/testing/StorageModel"
import { append, block } from "@effect-raft/core/testing/StorageScripts"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import { withStore } from "./support.ts"

const [directory, segmentBytes] = process.argv.slice(2)
if (directory === undefined) throw new Error("usage: kill-child.ts <directory> <segmentBytes>")

const program = withStore(
  NodeLogFileSystem.layer,
  (store) =>
    Effect.gen(function* () {
      for (let index = StorageModel.ofRecovered(store.recovered).entries.length + 1; ; index++) {
        yield* store.write(append(block(index, 1, 1, 300)))
        writeSync(1, `${index}\n`)
      }
    }),
  { directory, segmentBytes: Number(segmentBytes) }
)

await Effect.runPromise(program)
