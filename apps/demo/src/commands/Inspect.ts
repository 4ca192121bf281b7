/**
 * `effect-raft inspect`: what a node's directory holds, or a backup. It only reads, also what is damaged or in use.
 */
import * as Inspect from "@effect-raft/storage-file/Inspect"
import { InspectionReport } from "@effect-raft/storage-file/InspectionReport"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as BackupFile from "../BackupFile.ts"
import * as BackupText from "../BackupText.ts"
import { CommandFailed, fail, failed } from "../ExitCode.ts"
import * as InspectionText from "../InspectionText.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(InspectionReport)))
const backupToJson = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(BackupFile.BackupReport)))

export const inspect = Command.make(
  "inspect",
  {
    path: Argument.String("path").pipe(
      Argument.withDescription("The directory of one node, as given to serve --directory, or a backup file")
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print one JSON object, whose form stays the same"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ json, path }) {
    yield* (yield* isFile(path)) ? ofBackup(path, json) : ofDirectory(path, json)
  })
).pipe(
  Command.withDescription(
    "Show what a node's directory or a backup holds: whose it is, term and vote, the log by segments and terms, snapshots, " +
      "checksums, and what a node would do with it. Nothing is written, so it may be used on a directory that is " +
      "damaged or in use. Exit codes: 0 a node would open it; 1 a node would refuse it, or it cannot be read; 2 wrong usage."
  ),
  Command.withShortDescription("Show what a node's directory holds")
)

const isFile = (path: string) =>
  FileSystem.FileSystem.use((fs) => fs.stat(path)).pipe(
    Effect.map(({ type }) => type === "File"),
    // What is wrong with it is said by who reads it.
    Effect.orElseSucceed(() => false)
  )

const ofBackup = Effect.fnUntraced(function* (path: string, json: boolean) {
  const report = yield* BackupFile.check(path)
  yield* Console.log(json ? backupToJson(report) : BackupText.of(report))
})

const ofDirectory = Effect.fnUntraced(function* (path: string, json: boolean) {
  const report = yield* Inspect.inspect(path).pipe(
    Effect.provide(NodeLogFileSystem.layer),
    Effect.mapError((error) => fail(error.message))
  )
  yield* Console.log(json ? toJson(report) : InspectionText.of(report))
  const { verdict } = report
  if (verdict._tag === "Damaged" || verdict._tag === "TooNew") {
    return yield* new CommandFailed({ message: InspectionText.ofVerdict(verdict), exitCode: failed })
  }
})
