/**
 * Running the command line inside the test's process, for what needs no process of its own: its exit
 * code and what it said, with standard input and output in memory.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as TestConsole from "effect/testing/TestConsole"
import * as Cli from "../src/Cli.ts"
import * as Commands from "../src/Commands.ts"
import * as ExitCode from "../src/ExitCode.ts"

export interface Ended {
  readonly code: number
  /** Lines printed to standard output. */
  readonly said: ReadonlyArray<unknown>
  /** Lines printed to standard error. */
  readonly complained: ReadonlyArray<unknown>
  /** Bytes written to standard output as they are. */
  readonly bytes: Buffer
}

/** Runs `effect-raft` with these arguments and this standard input. */
export const run = (
  args: ReadonlyArray<string>,
  stdin: Uint8Array = new Uint8Array()
): Effect.Effect<Ended> =>
  Effect.gen(function* () {
    const written: Array<Uint8Array> = []
    const stdio = Stdio.layerTest({
      stdin: Stream.make(stdin),
      stdout: () =>
        Sink.forEach((chunk) =>
          Effect.sync(() => written.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk))
        )
    })
    const exit = yield* Effect.exit(Cli.run(Commands.load, args)).pipe(
      Effect.provide(Layer.provideMerge(stdio, NodeServices.layer))
    )
    return {
      code: ExitCode.codeOf(exit),
      said: yield* TestConsole.logLines,
      complained: yield* TestConsole.errorLines,
      bytes: Buffer.concat(written)
    }
  }).pipe(Effect.provide(TestConsole.layer))
