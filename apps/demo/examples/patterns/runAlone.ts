/**
 * Lets a pattern be run by itself: `node apps/demo/examples/patterns/05-count-votes.ts`. When the file is
 * imported, as the tests do, nothing runs.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

export const runAlone = <E>(meta: ImportMeta, program: Effect.Effect<unknown, E>): void => {
  if (meta.main) NodeRuntime.runMain(Effect.flatMap(program, Console.log))
}
