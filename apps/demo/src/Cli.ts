/**
 * The command line: the root command, and how it speaks. Help goes to standard output; a mistake is
 * said on standard error in one line; logs go to standard error, one line each.
 */
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { backup } from "./commands/Backup.ts"
import { cas } from "./commands/Cas.ts"
import { remove } from "./commands/Delete.ts"
import { demo } from "./commands/Demo.ts"
import { get } from "./commands/Get.ts"
import { inspect } from "./commands/Inspect.ts"
import { member } from "./commands/Member.ts"
import { maelstrom } from "./commands/Maelstrom.ts"
import { put } from "./commands/Put.ts"
import { recover } from "./commands/Recover.ts"
import { restore } from "./commands/Restore.ts"
import { serve } from "./commands/Serve.ts"
import { sim } from "./commands/Sim.ts"
import { status } from "./commands/Status.ts"
import { transfer } from "./commands/Transfer.ts"
import { up } from "./commands/Up.ts"

const effectRaft = Command.make("effect-raft").pipe(
  Command.withDescription(
    "Run, watch and break a replicated key-value cluster. Begin with `effect-raft up`, or let `effect-raft demo` tell a story."
  ),
  Command.withSubcommands([
    up,
    demo,
    serve,
    put,
    get,
    remove,
    cas,
    status,
    member,
    transfer,
    backup,
    restore,
    recover,
    inspect,
    sim,
    maelstrom
  ])
)

const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Effect.forEach(event.errors, (error) => Console.error(mistake(error, event.commandPath)), {
          discard: true
        })
      : CliOutput.defaultPresenter.present(event)
}

const mistake = (error: Error, commandPath: ReadonlyArray<string>): string =>
  `effect-raft: ${error.message.replaceAll(/\s*\n\s*/g, " ")} (try: ${commandPath.join(" ")} --help)`

const formatter: CliOutput.Formatter = Object.assign(CliOutput.defaultFormatter(), {
  formatError: (error: Error) => `effect-raft: ${error.message}`
})

const manners = Layer.mergeAll(
  CliOutput.layerPresenter(presenter),
  CliOutput.layer(formatter),
  CliConfig.layer({
    builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]
  }),
  Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])
)

/** Runs the command with these arguments, those after the program's name. */
export const run = (args: ReadonlyArray<string>) =>
  Command.runWith(effectRaft, { version: "0.0.0" })(args).pipe(Effect.provide(manners))
