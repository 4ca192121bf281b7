/** `effect-raft inspect`: what a node's directory holds. It only reads, also what is damaged or in use. */
import * as Inspect from "@effect-raft/storage-file/Inspect"
import { InspectionReport } from "@effect-raft/storage-file/InspectionReport"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CommandFailed, fail, failed } from "../ExitCode.ts"
import * as InspectionText from "../InspectionText.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(InspectionReport)))

export const inspect = Command.make(
  "inspect",
  {
    directory: Argument.String("directory").pipe(
      Argument.withDescription("The directory of one node, as given to serve --directory")
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print one JSON object, whose form stays the same"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ directory, json }) {
    const report = yield* Inspect.inspect(directory).pipe(
      Effect.provide(NodeLogFileSystem.layer),
      Effect.mapError((error) => fail(error.message))
    )
    yield* Console.log(json ? toJson(report) : InspectionText.of(report))
    const { verdict } = report
    if (verdict._tag === "Damaged" || verdict._tag === "TooNew") {
      return yield* new CommandFailed({ message: InspectionText.ofVerdict(verdict), exitCode: failed })
    }
  })
).pipe(
  Command.withDescription(
    "Show what a node's directory holds: whose it is, term and vote, the log by segments and terms, snapshots, " +
      "checksums, and what a node would do with it. Nothing is written, so it may be used on a directory that is " +
      "damaged or in use. Exit codes: 0 a node would open it; 1 a node would refuse it, or it cannot be read; 2 wrong usage."
  ),
  Command.withShortDescription("Show what a node's directory holds")
)
