import { defineConfig } from "vitest/config"

// One project for the whole workspace: the packages are linked by source, so nothing is built before
// a test runs.
export default defineConfig({
  test: {
    include: ["{packages,apps}/*/test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
