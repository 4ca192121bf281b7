/**
 * The tests that look for a bug without the simulator, on code with the bug in it that PLANTED_BUG names: the
 * tests of rules and of single parts and the scripts for the core, the tests of the files for the write-ahead
 * log.
 */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { addressOf, plant } from "./Bug.ts"
import { bugNamed } from "./bugs.ts"

const bug = bugNamed(process.env["PLANTED_BUG"])
const path = bug === undefined ? undefined : fileURLToPath(addressOf(bug))
const isOfFiles = bug?.package === "storage-file"

export default defineConfig({
  root: fileURLToPath(new URL("../../..", import.meta.url)),
  plugins: [
    {
      name: "planted-bug",
      load: (id) => (bug !== undefined && id === path ? plant(bug) : undefined)
    }
  ],
  test: {
    include: isOfFiles
      ? ["storage-file/test/*.test.ts"]
      : ["core/test/rules/*.test.ts", "core/test/scripts.test.ts", "core/test/{applier,log-writer}.test.ts"],
    // Those of real processes, and the simulator itself.
    exclude: ["**/kill.test.ts", "**/simulated-files.test.ts"],
    testTimeout: 120_000,
    // One thread that loads everything once: a bug at a time is all that is asked. It ends with its process.
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
    // What was kept of one run would be the code of the next, whose bug is another.
    fsModuleCache: false
  }
})
