/**
 * The program around the command line: Node's services, signals, and the exit code.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Cli from "./Cli.ts"
import type * as Commands from "./Commands.ts"
import * as ExitCode from "./ExitCode.ts"

/** Runs the command that this process was started with, until it ends or a signal ends it. */
export const run = (commandsFor: typeof Commands.load): void => {
  // A reader that went away (`| head`) asks us to stop; without this it would end in a stack trace.
  process.stdout.on("error", () => process.emit("SIGTERM"))
  process.stderr.on("error", () => undefined)

  Cli.run(commandsFor, process.argv.slice(2)).pipe(
    Effect.provide(NodeServices.layer),
    NodeRuntime.runMain({ teardown: ExitCode.teardown })
  )
}
