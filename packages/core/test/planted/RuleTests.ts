/**
 * The tests of the pure rules, the scripts and the tests of the files, each run on code with a bug in it, in
 * a process of its own.
 */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Bug } from "./Bug.ts"

/** Tests that failed, by the name of their file; scripts by their own name. */
export interface Failures {
  readonly rules: ReadonlyArray<string>
  readonly scripts: ReadonlyArray<string>
  readonly storage: ReadonlyArray<string>
}

interface Report {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly title: string }>
  }>
}

/** Those of the package that the bug is in. */
export const run = async (bug: Bug): Promise<Failures> => {
  const folder = await mkdtemp(path.join(tmpdir(), "planted-"))
  try {
    const file = path.join(folder, "report.json")
    const isOver = await vitest(bug, ["--reporter=json", `--outputFile=${file}`])
    return isOver ? failuresOf(JSON.parse(await readFile(file, "utf8")) as Report) : neverOver
  } finally {
    await rm(folder, { recursive: true })
  }
}

const failuresOf = ({ testResults }: Report): Failures => {
  const failed = (isOurs: (name: string) => boolean) =>
    testResults
      .filter(({ name }) => isOurs(name))
      .flatMap(({ assertionResults, name }) =>
        assertionResults
          .filter(({ status }) => status === "failed")
          .map(({ title }) => ({ file: path.basename(name, ".test.ts"), title }))
      )
  const files = (name: string) => failed((path) => path.includes(name)).map(({ file }) => file)
  return {
    rules: [...files("/rules/"), ...files("/applier.test.ts"), ...files("/log-writer.test.ts")],
    scripts: failed((name) => name.endsWith("scripts.test.ts")).map(({ title }) => title),
    storage: files("/storage-file/")
  }
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

const vitestPath = path.join(
  path.dirname(createRequire(import.meta.url).resolve("vitest/package.json")),
  "vitest.mjs"
)

/** All of them take a quarter of this, alone on the machine. */
const limitMillis = 240_000

/** With some bugs the rules send without end, within one step; then no test can tell its name. */
const neverOver: Failures = { rules: ["they never end"], scripts: [], storage: [] }

/**
 * Its exit code tells of failures, which are what we hope for; `false` when it did not end. The random walk takes
 * SEEDS seeds.
 */
const vitest = (bug: Bug, args: ReadonlyArray<string>): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, PLANTED_BUG: bug.name, SEEDS: "100" }
    const command = [vitestPath, "run", "--config", here("vitest.config.ts"), ...args]
    const options = { env, maxBuffer: 2 ** 26, timeout: limitMillis, killSignal: "SIGKILL" } as const
    execFile(process.execPath, command, options, (error) => {
      if (error !== null && typeof error.code !== "number" && !error.killed) reject(error)
      else resolve(error?.killed !== true)
    })
  })
