/**
 * Leaves "N passed, N failed" in a file, for `.ci/run` to print last. A test file that could not be
 * loaded and an error outside any test count as failures too, so the line is never greener than the run.
 */
import { writeFileSync } from "node:fs"
import type { Reporter, TestModule } from "vitest/node"

export class CountsReporter implements Reporter {
  private readonly file: string

  constructor(file: string) {
    this.file = file
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed += 1
        if (state === "failed") failed += 1
      }
    }
    writeFileSync(this.file, `${passed} passed, ${failed} failed\n`)
  }
}
