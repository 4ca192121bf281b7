/**
 * Those who look for a planted bug, each in a process of its own: the simulator, the rule tests, the scripts.
 */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { availableParallelism, tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Bug } from "./Bug.ts"

/** What the simulator found. */
export interface Catch {
  readonly runs: number
  readonly caught: number
  readonly firstSeed: number | null
  /** How often each property was the one that failed, by its name. */
  readonly properties: Readonly<Record<string, number>>
}

/** How many tests failed, of how many. */
export interface Failures {
  readonly failed: number
  readonly total: number
}

/** Runs seeds from `firstSeed` on; without a bug when it is `undefined`. */
export const simulate = async (options: {
  readonly bug: Bug | undefined
  readonly firstSeed: number
  readonly runs: number
  readonly stopsAtFirst?: boolean
}): Promise<Catch> => {
  const { bug, firstSeed, runs, stopsAtFirst } = options
  const mode = stopsAtFirst === true ? ["first"] : []
  const { output } = await node(bug, [
    "--import",
    here("plant.ts"),
    here("simulate.ts"),
    `${firstSeed}`,
    `${runs}`,
    ...mode
  ])
  return JSON.parse(output.trim().split("\n").at(-1)!) as Catch
}

interface Report {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

/** The rule tests and the scripts. */
export const test = async (
  bug: Bug | undefined
): Promise<{ readonly rules: Failures; readonly scripts: Failures }> => {
  const folder = await mkdtemp(path.join(tmpdir(), "planted-"))
  try {
    const file = path.join(folder, "report.json")
    const output = ["--reporter=json", `--outputFile=${file}`]
    // Its exit code tells of failures, which are what we hope for.
    await node(bug, [vitest, "run", "--config", here("vitest.config.ts"), ...output])
    const { testResults } = JSON.parse(await readFile(file, "utf8")) as Report
    const count = (isOurs: (name: string) => boolean): Failures => {
      const tests = testResults
        .filter(({ name }) => isOurs(name))
        .flatMap((result) => result.assertionResults)
      return { failed: tests.filter(({ status }) => status === "failed").length, total: tests.length }
    }
    const isScript = (name: string) => name.endsWith("scripts.test.ts")
    return { rules: count((name) => !isScript(name)), scripts: count(isScript) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** How many may look at a time. */
export const width = availableParallelism()

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

const vitest = path.join(
  path.dirname(createRequire(import.meta.url).resolve("vitest/package.json")),
  "vitest.mjs"
)

/** Runs Node with the bug planted. The rule tests' random walk takes SEEDS seeds. */
const node = (bug: Bug | undefined, args: ReadonlyArray<string>): Promise<{ readonly output: string }> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, PLANTED_BUG: bug?.name ?? "", SEEDS: "100" }
    execFile(process.execPath, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error)
      else if (error !== null && stdout === "") reject(new Error(stderr))
      else resolve({ output: stdout })
    })
  })

/** Maps in order, at most `width` at a time. */
export const mapParallel = async <A, B>(
  items: ReadonlyArray<A>,
  width: number,
  f: (item: A) => Promise<B>
): Promise<Array<B>> => {
  const results: Array<B> = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await f(items[at]!)
  }
  await Promise.all(Array.from({ length: width }, work))
  return results
}
