/** `effect-raft cas`: compare-and-set, a write that depends on what is there. */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { writerCodesHelp, fail } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import * as Store from "../Store.ts"
import * as ValueInput from "../ValueInput.ts"

export const cas = Command.make(
  "cas",
  {
    ...Flags.store,
    key: Flags.key,
    revision: Flags.intAtLeast("revision", 1).pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Write only if the value there has this revision"),
      Flag.optional
    ),
    absent: Flag.Boolean("absent").pipe(
      Flag.withDescription(
        "Write only if the key has no value. Put it after VALUE: a value such as 1 or true would be taken for the flag's own"
      ),
      Flag.withDefault(false)
    ),
    ...ValueInput.parameters
  },
  Effect.fnUntraced(function* (input) {
    const { key } = input
    const value = yield* ValueInput.read(input)
    const expected = Option.getOrNull(input.revision)
    const result = yield* Store.use(input, (kv) => kv.compareAndSet(key, { expected, value }))
    if (result.swapped) return yield* Console.log(`revision ${result.revision}`)
    return yield* fail(
      `nothing was written: ${key} has ${result.revision === null ? "no value" : `revision ${result.revision}`}`
    )
  })
).pipe(
  Command.validate((input) =>
    input.absent === Option.isNone(input.revision)
      ? ValueInput.validate(input)
      : Effect.fail(new CliError.ValidationError({ message: "Give one condition: --revision N or --absent" }))
  ),
  Command.withDescription(
    `Write a value if a condition holds, and print the new revision. \`get --revision\` tells the present one. ${writerCodesHelp}`
  ),
  Command.withShortDescription("Write a value on a condition"),
  Command.withExamples([
    {
      command: "effect-raft cas owner me --absent -e http://127.0.0.1:7101",
      description: "Write only if nobody has written yet (`delete` makes room again)"
    },
    {
      command: "effect-raft cas config new --revision 12 -e http://127.0.0.1:7101",
      description: "Write only over what was read: revision 12"
    }
  ])
)
