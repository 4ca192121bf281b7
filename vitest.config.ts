import { defineConfig } from "vitest/config"
import { CountsReporter } from "./scripts/CountsReporter.ts"

// One project for the whole workspace: the packages are linked by source, so nothing is built before
// a test runs. `TEST_COUNTS_FILE` names a file that gets the numbers of passed and failed tests.
const countsFile = process.env["TEST_COUNTS_FILE"]

export default defineConfig({
  test: {
    include: ["{packages,apps}/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: countsFile === undefined ? ["default"] : ["default", new CountsReporter(countsFile)]
  }
})
