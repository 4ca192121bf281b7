/**
 * The program that our servers run: the bundled command, as one would install it, made anew from the sources
 * for each run of the bench; or the sources themselves, where a profile is to name their files.
 */
import * as Effect from "effect/Effect"
import * as NodeChildProcess from "node:child_process"
import * as NodePath from "node:path"
import { BenchFailed } from "../Scenario.ts"

const root = NodePath.resolve(import.meta.dirname, "../../../..")

/** The command as it stands in the sources. */
export const sources = NodePath.join(root, "apps/demo/src/main.ts")

const make: Effect.Effect<string, BenchFailed> = Effect.callback((resume) => {
  const child = NodeChildProcess.spawn(process.execPath, [NodePath.join(root, "scripts/bundle.ts")], {
    stdio: ["ignore", "ignore", "inherit"]
  })
  const failed = (detail: string) =>
    resume(Effect.fail(new BenchFailed({ message: `The program could not be bundled: ${detail}` })))
  child.once("error", (error) => failed(error.message))
  child.once("exit", (code) =>
    code === 0
      ? resume(Effect.succeed(NodePath.join(root, "apps/demo/bundle/main.js")))
      : failed(`scripts/bundle.ts ended with ${code}`)
  )
})

/** The command as one would install it. Every use in one process gets the same. */
export const bundled: Effect.Effect<string, BenchFailed> = Effect.runSync(Effect.cached(make))
