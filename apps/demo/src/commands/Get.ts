/** `effect-raft get`: reads a value, byte for byte. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { fail } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"
import * as Store from "../Store.ts"

export const get = Command.make(
  "get",
  {
    ...Flags.store,
    key: Flags.key,
    consistency: Flag.Literals("consistency", ["linearizable", "stale"]).pipe(
      Flag.withDescription(
        "stale asks the node for what it has itself; it may be old. linearizable by default"
      ),
      Flag.withDefault("linearizable")
    ),
    revisionOnly: Flag.Boolean("revision").pipe(
      Flag.withDescription("Print the value's revision, for `cas`, and not the value"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ key, consistency, revisionOnly, ...nodes }) {
    const found = yield* Store.use(nodes, (kv) => kv.get(key, { consistency }))
    if (Option.isNone(found)) return yield* fail(`${key} has no value`)
    yield* revisionOnly ? Console.log(String(found.value.revision)) : printBytes(found.value.value)
  })
).pipe(
  Command.withDescription(
    "Print a value to standard output, its bytes and nothing else. " +
      "Exit codes: 0 done; 1 the key has no value; 2 wrong usage; 3 no answer."
  ),
  Command.withShortDescription("Read a value")
)

const printBytes = (bytes: Uint8Array) =>
  Stdio.Stdio.use((stdio) => Stream.run(Stream.succeed(bytes), stdio.stdout())).pipe(
    Effect.mapError((error) => fail(`Standard output cannot be written: ${error.message}`))
  )
