/**
 * The program of a process that is a node: `effect-raft serve`, and no other command.
 *
 * A node is what somebody waits for when a machine is back. Here all that it needs is imported at once, and nothing
 * else, so that `pnpm bundle` has it in one file: to find, read and link forty would be a fifth of the start.
 */
import * as Effect from "effect/Effect"
import * as Serve from "./commands/Serve.ts"
import * as Node from "./Node.ts"
import * as Program from "./Program.ts"

export const main = (): void => Program.run(() => Effect.succeed([Serve.make(Effect.succeed(Node))]))
