/** `effect-raft put`: writes a value. */
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { writerCodesHelp } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import * as Store from "../Store.ts"
import * as ValueInput from "../ValueInput.ts"

export const put = Command.make(
  "put",
  { ...Flags.store, key: Flags.key, ...ValueInput.parameters },
  Effect.fnUntraced(function* (input) {
    const value = yield* ValueInput.read(input)
    const revision = yield* Store.use(input, (kv) => kv.put(input.key, value))
    yield* Console.log(`revision ${revision}`)
  })
).pipe(
  Command.validate((input) => ValueInput.validate(input)),
  Command.withDescription(`Write a value and print its revision. ${writerCodesHelp}`),
  Command.withShortDescription("Write a value")
)
