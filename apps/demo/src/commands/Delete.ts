/** `effect-raft delete`: removes a key and its value. */
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { writerCodesHelp, fail } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import * as Store from "../Store.ts"

export const remove = Command.make(
  "delete",
  { ...Flags.store, key: Flags.key },
  Effect.fnUntraced(function* ({ key, ...nodes }) {
    const deleted = yield* Store.use(nodes, (kv) => kv.delete(key))
    if (!deleted) return yield* fail(`${key} has no value`)
    yield* Console.log("deleted")
  })
).pipe(
  Command.withDescription(`Remove a key and its value. ${writerCodesHelp}`),
  Command.withShortDescription("Remove a key")
)
