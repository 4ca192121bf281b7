/**
 * What the `effect-raft` command tells its caller by its exit code, and how a failure gets there.
 *
 * A command that fails in a way its user should read fails with {@link CommandFailed}: one message, which
 * names the thing and what to do, and an exit code. Everything else that ends a command (a wrong flag, an
 * interrupt, a bug) is given its code here too, so that this file is the whole table.
 */
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** It did what it was asked to do. */
export const ok = 0
/** The key is absent, the condition of a `cas` did not hold, the story did not hold, or a node failed. */
export const failed = 1
/** A flag, a key or a value that cannot be accepted as it stands; asking again will not help. */
export const usage = 2
/** No node could answer; surely nothing happened. Asking again is safe. */
export const unavailable = 3
/** The answer was lost; the write may have happened, or may happen yet. */
export const outcomeUnknown = 4
/** Ended by Ctrl-C before it was done. */
export const interrupted = 130

/** A failure to be read by the user: no stack, an exit code of its own. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String,
  exitCode: Schema.Int
}) {
  override readonly [Runtime.errorExitCode] = this.exitCode

  override get [CliError.userMessage]() {
    return this.message
  }
}

/** A failure with exit code 1. */
export const fail = (message: string): CommandFailed => new CommandFailed({ message, exitCode: failed })

/** A failure that says what the user should have typed. */
export const misuse = (message: string): CommandFailed => new CommandFailed({ message, exitCode: usage })

export const teardown: Runtime.Teardown = (exit, onExit) => onExit(codeOf(exit))

/** The code of an ended program. */
export const codeOf = <A, E>(exit: Exit.Exit<A, E>): number => {
  if (Exit.isSuccess(exit)) return ok
  if (Cause.hasInterruptsOnly(exit.cause)) return Number(process.exitCode ?? interrupted)
  const error = Cause.squash(exit.cause)
  return isMisuse(error) ? usage : Runtime.getErrorExitCode(error)
}

const isMisuse = (error: unknown): boolean =>
  CliError.isCliError(error) &&
  (error._tag === "ShowHelp" ? error.errors.length > 0 : error._tag !== "UserError")

/**
 * For a program that runs until it is told to stop: being interrupted is its expected end, exit code 0.
 */
export const untilStopped = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(program, () => Effect.sync(() => void (process.exitCode = ok)))

/** For `--help` of the commands that write a key. */
export const writerCodesHelp =
  "Exit codes: 0 done; 1 not found, or the condition did not hold; 2 wrong usage; " +
  "3 no answer and surely nothing happened; 4 the write may or may not have happened."
