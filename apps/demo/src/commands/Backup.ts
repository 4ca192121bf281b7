/** `effect-raft backup`: all that a running cluster holds, in one file. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as BackupFile from "../BackupFile.ts"
import * as BackupText from "../BackupText.ts"
import * as Flags from "../Flags.ts"
import * as Store from "../Store.ts"

export const backup = Command.make(
  "backup",
  {
    ...Flags.httpNodes,
    file: Argument.String("file").pipe(Argument.withDescription("The file to make; it must not be there yet"))
  },
  Effect.fnUntraced(function* ({ file, ...nodes }) {
    yield* BackupFile.refuseOverwriting(file)
    const report = yield* Effect.scoped(
      Effect.flatMap(Store.backup(nodes), (bytes) => BackupFile.write(file, bytes))
    )
    yield* Console.log(BackupText.of(report))
  })
).pipe(
  Command.withDescription(
    "Write all keys, values and revisions of a running cluster to a file: everything that was acknowledged before " +
      "the command began, as of one moment. The node that is asked goes on serving. The file is checked as it comes, " +
      "and gets its name when it is whole and on the disk. `effect-raft restore` makes a new cluster of it. " +
      "Exit codes: 0 done; 1 broken off, or the file cannot be written; 2 wrong usage; 3 no node could begin."
  ),
  Command.withShortDescription("Save all that a running cluster holds to a file")
)
