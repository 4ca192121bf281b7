/**
 * Plants the bug that the environment variable PLANTED_BUG names, for the process that it is preloaded
 * into: `PLANTED_BUG="…" node --import ./plant.ts …`. The source files stay as they are.
 */
import { registerHooks } from "node:module"
import { addressOf, plant } from "./Bug.ts"
import { bugNamed } from "./bugs.ts"

const bug = bugNamed(process.env["PLANTED_BUG"])
if (bug !== undefined) {
  const address = addressOf(bug)
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      return url === address ? { ...loaded, source: plant(bug) } : loaded
    }
  })
}
