/**
 * The value that a writing command is given: as an argument, as a file, or on standard input (`-`).
 */
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { misuse } from "./ExitCode.ts"
import * as FileError from "./FileError.ts"

/** The parameters of a command that takes a value. */
export const parameters = {
  value: Argument.String("value").pipe(
    Argument.withDescription("The value, as text; - reads it from standard input, to its end, as bytes"),
    Argument.optional
  ),
  file: Flag.String("file").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Take the value from this file, as bytes"),
    Flag.optional
  )
}

export interface Parsed {
  readonly value: Option.Option<string>
  readonly file: Option.Option<string>
}

/** A value comes from one place. */
export const validate = ({ value, file }: Parsed): Effect.Effect<void, CliError.ValidationError> =>
  Option.isSome(value) !== Option.isSome(file)
    ? Effect.void
    : Effect.fail(
        new CliError.ValidationError({ message: "Give the value once: as VALUE, as - or with --file FILE" })
      )

/** The bytes of the value. */
export const read = Effect.fnUntraced(function* ({ value, file }: Parsed) {
  if (Option.isSome(file)) return yield* readFile(file.value)
  const text = Option.getOrElse(value, () => "")
  return text === "-" ? yield* readStdin : new TextEncoder().encode(text)
})

const readFile = (file: string) =>
  FileSystem.FileSystem.use((fs) => fs.readFile(file)).pipe(
    Effect.mapError((error) => misuse(`--file ${file} cannot be read: ${FileError.describe(error)}`))
  )

const readStdin = Stdio.Stdio.use(({ stdin }) => Stream.runCollect(stdin)).pipe(
  Effect.map((chunks): Uint8Array => Buffer.concat(chunks)),
  Effect.mapError((error) => misuse(`Standard input cannot be read: ${FileError.describe(error)}`))
)
