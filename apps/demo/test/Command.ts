/**
 * Running the real `effect-raft` command, as a user would: its exit code, its output, its processes.
 * Everything that is started belongs to a scope and is killed with it, by its own pid.
 *
 * What the processes said is collected, and printed by `scenario` when a test fails.
 */
import { it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as NodeChildProcess from "node:child_process"
import * as NodePath from "node:path"

const mainModule = NodePath.resolve(import.meta.dirname, "../src/main.ts")

/** A running `effect-raft`. */
export interface Running {
  readonly pid: number
  /** What it has written so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  readonly kill: (signal: NodeJS.Signals) => void
  /** Its exit code, or the signal that killed it. */
  readonly ended: Effect.Effect<number | string>
  /** Waits for text on standard output; fails if the process ends before. */
  readonly says: (pattern: RegExp) => Effect.Effect<RegExpExecArray, Error>
}

export interface Ended {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

let transcript: Array<string> = []

/** A test with real time and real processes. */
export const scenario = <E>(
  name: string,
  test: () => Effect.Effect<void, E, Scope.Scope | NodeServices.NodeServices>
) =>
  it.live(name, () =>
    Effect.sync(() => (transcript = [])).pipe(
      Effect.andThen(test()),
      Effect.scoped,
      Effect.provide(NodeServices.layer),
      Effect.tapCause((cause) => Console.error(`${transcript.join("")}\n${Cause.pretty(cause)}`))
    )
  )

/** What stands between the test and the command, if anything does. */
export interface Circumstances {
  /** A module that is loaded before the command's own. */
  readonly preload?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the command. Standard input is what is given, and then ends; without it, it is empty. */
export const start = (
  args: ReadonlyArray<string>,
  input = "",
  circumstances: Circumstances = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => launch(args, input, circumstances)),
    (running) =>
      Effect.suspend(() => {
        running.kill("SIGKILL")
        return running.ended
      })
  )

/** Runs the command to its end. */
export const run = (args: ReadonlyArray<string>, input?: string): Effect.Effect<Ended> =>
  start(args, input).pipe(
    Effect.flatMap((running) =>
      Effect.map(running.ended, (code) => ({ code, stdout: running.stdout(), stderr: running.stderr() }))
    ),
    Effect.scoped
  )

const launch = (
  args: ReadonlyArray<string>,
  input: string,
  { env = {}, preload }: Circumstances
): Running => {
  const before = preload === undefined ? [] : ["--import", preload]
  const child = NodeChildProcess.spawn(process.execPath, [...before, mainModule, ...args], {
    stdio: "pipe",
    env: { ...process.env, ...env }
  })
  child.stdin.on("error", () => undefined)
  child.stdin.end(input)
  const output = { stdout: "", stderr: "" }
  const listeners = new Set<() => void>()
  let code: number | string | undefined
  const label = `${args[0]} ${child.pid}`
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text
      transcript.push(text.replaceAll(/^(?=.)/gm, `${label} | `))
      for (const listener of listeners) listener()
    })
  }
  child.on("close", (exitCode, signal) => {
    code = exitCode ?? signal ?? "?"
    transcript.push(`${label} ended: ${code}\n`)
    for (const listener of listeners) listener()
  })
  const when = <A, E>(look: () => Effect.Effect<A, E> | undefined): Effect.Effect<A, E> =>
    Effect.callback((resume) => {
      const listener = () => {
        const found = look()
        if (found === undefined) return
        listeners.delete(listener)
        resume(found)
      }
      listeners.add(listener)
      listener()
      return Effect.sync(() => listeners.delete(listener))
    })
  return {
    pid: child.pid ?? 0,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    kill: (signal) => void (code === undefined && child.kill(signal)),
    ended: when(() => (code === undefined ? undefined : Effect.succeed(code))),
    says: (pattern) =>
      when(() => {
        const match = pattern.exec(output.stdout)
        if (match !== null) return Effect.succeed(match)
        return code === undefined
          ? undefined
          : Effect.fail(new Error(`${label} ended (${code}) without ${pattern}`))
      })
  }
}

/** A directory that is removed with the scope. */
export const temporaryDirectory = Effect.orDie(
  FileSystem.FileSystem.use((fs) => fs.makeTempDirectoryScoped({ prefix: "effect-raft-test-" }))
)
