#!/usr/bin/env node
/**
 * The `effect-raft` program.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Cli from "./Cli.ts"
import * as ExitCode from "./ExitCode.ts"

// A reader that went away (`| head`) asks us to stop; without this it would end in a stack trace.
process.stdout.on("error", () => process.emit("SIGTERM"))
process.stderr.on("error", () => undefined)

Cli.run(process.argv.slice(2)).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ teardown: ExitCode.teardown })
)
