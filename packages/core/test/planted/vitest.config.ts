/**
 * The rule tests and the scripts on code with a bug in it: the one that PLANTED_BUG names.
 */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { addressOf, plant } from "./Bug.ts"
import { bugNamed } from "./bugs.ts"

const bug = bugNamed(process.env["PLANTED_BUG"])
const path = bug === undefined ? undefined : fileURLToPath(addressOf(bug))

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  plugins: [
    {
      name: "planted-bug",
      load: (id) => (bug !== undefined && id === path ? plant(bug) : undefined)
    }
  ],
  test: {
    include: ["rules/*.test.ts", "scripts.test.ts"],
    testTimeout: 120_000,
    // What was kept of one run would be the code of the next, whose bug is another.
    fsModuleCache: false
  }
})
