/**
 * Runs Effect's own diagnostics (floating effects, missing `yield*`, host timers in the core, …) over
 * every area of the workspace: `node scripts/effect-diagnostics.ts`. Each area has a flat tsconfig in
 * `diagnostics/`, since the tool follows no project references.
 */
import { spawnSync } from "node:child_process"
import * as path from "node:path"

const tool = path.resolve(import.meta.dirname, "../node_modules/.bin/effect-tsgo")
const areas = ["core", "packages", "tests"]

const diagnose = (area: string): boolean => {
  const project = path.join(import.meta.dirname, "diagnostics", `tsconfig.${area}.json`)
  const run = spawnSync(
    tool,
    ["diagnostics", "--project", project, "--strict", "--severity", "error,warning", "--format", "text"],
    { encoding: "utf8" }
  )
  console.log(`${area}: ${run.error?.message ?? `${run.stdout}${run.stderr}`.trim()}`)
  return run.status === 0
}

process.exitCode = areas.map(diagnose).every(Boolean) ? 0 : 1
