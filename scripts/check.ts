/**
 * Everything that is checked about the source without running it: `pnpm check`. One line for each
 * check, and the output of those that failed. All of them run, whatever fails.
 */
import { spawn } from "node:child_process"
import * as path from "node:path"
import { performance } from "node:perf_hooks"
import { stripVTControlCharacters } from "node:util"

const checks: ReadonlyArray<{ readonly name: string; readonly command: string }> = [
  { name: "types", command: "tsc -b" },
  { name: "lint", command: "oxlint --type-aware --deny-warnings" },
  { name: "effect diagnostics", command: "node scripts/effect-diagnostics.ts" },
  { name: "import direction", command: "node scripts/check-imports.ts" },
  { name: "links", command: "node scripts/check-links.ts" },
  { name: "format", command: "oxfmt --check" }
]

const root = path.resolve(import.meta.dirname, "..")
const tools = [path.join(root, "node_modules/.bin"), path.dirname(process.execPath)]
const env = { ...process.env, PATH: [...tools, process.env["PATH"]].join(path.delimiter) }

/** The exit code of a command, and what it printed, without the colours that some tools insist on in CI. */
const run = (command: string): Promise<{ readonly code: number; readonly output: string }> =>
  new Promise((resolve) => {
    const child = spawn(command, { cwd: root, env, shell: true, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.on("error", (error) => resolve({ code: 1, output: error.message }))
    child.on("close", (code) => resolve({ code: code ?? 1, output: stripVTControlCharacters(output) }))
  })

let failed = 0
for (const { command, name } of checks) {
  const startedAt = performance.now()
  const { code, output } = await run(command)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`)
  if (code === 0) continue
  failed += 1
  console.log(`$ ${command}\n${output.trimEnd()}\n`)
}
console.log(failed === 0 ? "All checks passed" : `${failed} of ${checks.length} checks failed`)
process.exitCode = failed === 0 ? 0 : 1
