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
import type * as Commands from "./Commands.ts"

const withCommands = (commands: ReadonlyArray<Commands.Any>) =>
  Command.make("effect-raft").pipe(
    Command.withDescription(
      "Run, watch and break a replicated key-value cluster. Begin with `effect-raft up`, or let `effect-raft demo` tell a story."
    ),
    Command.withSubcommands(commands)
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

/** Runs the command that these arguments begin with, those after the program's name. */
export const run = (commandsFor: typeof Commands.load, args: ReadonlyArray<string>) =>
  Effect.flatMap(commandsFor(args), (commands) =>
    Command.runWith(withCommands(commands), { version: "0.0.0" })(args)
  ).pipe(Effect.provide(manners))
