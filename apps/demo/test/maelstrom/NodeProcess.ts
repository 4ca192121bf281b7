/**
 * A node as a process, as Maelstrom runs it: its standard input and output are the network, and what
 * it says on standard error is for those who want to know what went wrong: `transcript` keeps it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeChildProcess from "node:child_process"
import * as NodePath from "node:path"
import * as NodeReadline from "node:readline"

const mainModule = NodePath.resolve(import.meta.dirname, "../../src/main.ts")

export interface NodeProcess {
  /** Writes one line to its standard input. */
  readonly write: (line: string) => void
  readonly kill: () => void
  /** Ends its standard input. */
  readonly end: () => void
  /** Its exit code, or the signal that killed it. */
  readonly ended: Effect.Effect<number | string>
}

/** What all nodes have said on standard error, for the message of a failing test. */
export const transcript: Array<string> = []

/** Starts `effect-raft maelstrom`; whatever is left of it is killed with the scope. */
export const start = (options: {
  readonly flags: ReadonlyArray<string>
  readonly onLine: (line: string) => void
}): Effect.Effect<NodeProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => launch(options)),
    (node) =>
      Effect.suspend(() => {
        node.kill()
        return node.ended
      })
  )

const launch = (options: {
  readonly flags: ReadonlyArray<string>
  readonly onLine: (line: string) => void
}): NodeProcess => {
  const child = NodeChildProcess.spawn(process.execPath, [mainModule, "maelstrom", ...options.flags])
  // A killed process does not read what is still on its way to it.
  child.stdin.on("error", () => undefined)
  child.stderr.setEncoding("utf8").on("data", (text: string) => transcript.push(`${child.pid} | ${text}`))
  NodeReadline.createInterface({ input: child.stdout }).on("line", options.onLine)
  const closed = new Promise<number | string>((resolve) =>
    child.on("close", (code, signal) => resolve(code ?? signal ?? "?"))
  )
  return {
    write: (line) => void (child.stdin.writable && child.stdin.write(`${line}\n`)),
    kill: () => void child.kill("SIGKILL"),
    end: () => void child.stdin.end(),
    ended: Effect.promise(() => closed)
  }
}
