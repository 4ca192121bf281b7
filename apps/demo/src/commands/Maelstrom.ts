/**
 * `effect-raft maelstrom`: one node of a test of Jepsen's Maelstrom, so that anybody can judge this Raft
 * with a checker that is not ours.
 */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { untilStopped } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"

const flags = {
  directory: Flags.directory.pipe(
    Flag.withDescription(
      "Keep term, vote and log in DIR/NODE_ID, so that a node that is killed may come back. Without it they are in " +
        "memory, and a node that is started again has forgotten its promises: then do not restart nodes. " +
        "A new test needs an empty directory"
    ),
    Flag.optional
  ),
  consistency: Flag.Literals("consistency", ["linearizable", "stale"]).pipe(
    Flag.withDescription(
      "stale answers reads from what the node has itself, so that a checker finds something; linearizable by default"
    ),
    Flag.withDefault("linearizable")
  ),
  ...Flags.timing,
  requestTimeoutMillis: Flags.intAtLeast("request-timeout", 1).pipe(
    Flag.withMetavar("MILLIS"),
    Flag.withDescription(
      "How long a request waits for a leader, and then for the leader's word; 3000 by default"
    ),
    Flag.withDefault(3000)
  )
}

export const maelstrom = Command.make("maelstrom", flags, (input) =>
  loadNode.pipe(
    Effect.flatMap((MaelstromNode) =>
      MaelstromNode.run({ ...input, directory: Option.getOrUndefined(input.directory) })
    ),
    untilStopped
  )
).pipe(
  Command.validate((input) => {
    const mistake = Flags.timingMistake(input)
    return mistake === undefined
      ? Effect.void
      : Effect.fail(new CliError.ValidationError({ message: mistake }))
  }),
  Command.withDescription(
    "Run one node of a Maelstrom test (workload lin-kv): it reads messages from standard input, one JSON object per " +
      "line, writes its own to standard output, logs to standard error, and stops when standard input ends. " +
      "Nodes keep everything in memory and must not be restarted, unless --directory is given. " +
      "Exit codes: 0 stopped; 1 failed; 2 wrong usage."
  ),
  Command.withShortDescription("Run one node under Jepsen's Maelstrom")
)

const loadNode = Effect.promise(() => import("../maelstrom/MaelstromNode.ts"))
