/**
 * The README's program is the file that is compiled and run here, and does what the README says.
 */
import { assert, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

it("the README's counter is the example, word for word", () => {
  const [, program] = /readme-counter\.ts -->\n```ts\n([\s\S]*?)```/.exec(
    readFileSync(path("../../../README.md"), "utf8")
  )!
  assert.strictEqual(program, readFileSync(path("../examples/readme-counter.ts"), "utf8"))
})

it("it prints what the README says", () => {
  const printed = execFileSync(process.execPath, [path("../examples/readme-counter.ts")], {
    encoding: "utf8"
  })
  assert.strictEqual(printed, "2\n2\n")
})
