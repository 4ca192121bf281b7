/**
 * `effect-raft demo`: `up` for somebody who watches a terminal, and a short story for everybody else.
 */
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as ClusterPlan from "../ClusterPlan.ts"
import { fail, misuse } from "../ExitCode.ts"
import * as Ports from "../Ports.ts"
import * as Story from "../Story.ts"
import * as StoryKeys from "../StoryKeys.ts"
import * as Up from "./Up.ts"

export const demo = Command.make(
  "demo",
  Up.flags,
  Effect.fnUntraced(function* (input) {
    const stdio = yield* Stdio.Stdio
    const watched = (yield* stdio.stdinIsTerminal) && (yield* stdio.stdoutIsTerminal)
    yield* watched ? Up.upHandler(input) : tellStory(input)
  })
).pipe(
  Command.validate(Up.validateTiming),
  Command.withDescription(
    "With a terminal: `effect-raft up`. Without one (standard input or output is a pipe or a file), a short story: " +
      "start the nodes, write the key=value lines read from standard input (or a built-in list, when there are none), " +
      "read them back from another node, kill the leader with SIGKILL, show the new leader and that the data is still " +
      "there, bring the dead node back, and stop. The story takes free ports and a temporary directory, unless flags " +
      "say otherwise. Exit codes: 0 if everything held; 1 if not; 2 wrong usage."
  ),
  Command.withShortDescription("Tell the short story of a cluster, or, on a terminal, start one")
)

const tellStory = Effect.fnUntraced(function* (input: Up.LocalCluster) {
  if (Option.exists(input.nodes, (count) => count < Story.fewestNodes)) {
    return yield* misuse(
      `--nodes must be at least ${Story.fewestNodes}: the story kills a node and goes on with the others`
    )
  }
  const keys = yield* StoryKeys.read
  const plan = yield* Up.planOf(input, {
    directory: Option.isNone(input.directory) ? yield* temporaryDirectory : input.directory.value,
    basePort: (nodes) => Ports.freeBase((base) => ClusterPlan.portsFrom(base, nodes))
  })
  yield* Story.tell(plan, keys, Up.serveFlags(input))
}, Effect.scoped)

/** Stays behind only if the story does not hold, for its logs. */
const temporaryDirectory = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.acquireRelease(fs.makeTempDirectory({ prefix: "effect-raft-" }), (directory, exit) =>
    Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)
      ? Effect.ignore(fs.remove(directory, { recursive: true }))
      : Effect.void
  )
}).pipe(Effect.mapError((error) => fail(`No temporary directory can be made: ${error.message}`)))
