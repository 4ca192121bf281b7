/**
 * One life of one node: an `effect-raft serve` process, from its start to its end.
 *
 * The child's standard input is a pipe whose writing end only we hold, and the child stops when it ends.
 * So when we die, however we die, the system closes the pipe and no node outlives the command that
 * started it.
 */
import * as Address from "@effect-raft/transport-tcp/Address"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"
import * as NodeUrl from "node:url"
import type { ClusterPlan, NodePlan } from "./ClusterPlan.ts"
import * as Modules from "./Modules.ts"

/** How a process ended, and the last thing it said on its standard error. */
export interface Ending {
  /** The exit code, or the name of the signal that killed it. */
  readonly by: number | string
  readonly lastWords: string
}

export interface NodeProcess {
  readonly pid: number
  /** Ends when the node has said that it is ready; never, if it does not come to that. */
  readonly ready: Effect.Effect<void>
  /** Ends when the process has. */
  readonly ended: Effect.Effect<Ending>
  /** Sends a signal and waits for the end, by force after {@link stopMillis}. */
  readonly kill: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
}

/** How long a node may take to stop by itself before it is killed. */
const stopMillis = 5_000

/** The line by which a node says that it is ready begins so. */
export const readyPrefix = (nodeId: string): string => `node ${nodeId} ready:`

/** What a node is started with: its place in the plan, and flags that all nodes get alike. */
export interface StartOptions {
  readonly cluster: ClusterPlan
  readonly node: NodePlan
  readonly flags: ReadonlyArray<string>
}

/** Starts the node. It is stopped when the scope closes. */
export const start = Effect.fnUntraced(function* (options: StartOptions) {
  const handle = yield* commandOf(options)
  const ready = yield* Deferred.make<void>()
  // Read to the end also after the ready line: a full pipe would block the child.
  yield* linesOf(handle.stdout).pipe(
    Stream.filter((line) => line.startsWith(readyPrefix(options.node.id))),
    Stream.runForEach(() => Deferred.succeed(ready, undefined)),
    Effect.ignore,
    Effect.annotateLogs({ fiber: `output of ${options.node.id}` }),
    Effect.forkScoped
  )
  const log = yield* keepLog(handle, options.node).pipe(
    Effect.annotateLogs({ fiber: `log of ${options.node.id}` }),
    Effect.forkScoped
  )
  return {
    pid: handle.pid,
    ready: Deferred.await(ready),
    ended: Effect.all({ by: exitOf(handle), lastWords: Fiber.join(log) }),
    kill: (killSignal) => Effect.ignore(handle.kill({ killSignal, forceKillAfter: stopMillis }))
  } satisfies NodeProcess
})

const mainModule = NodeUrl.fileURLToPath(Modules.main)

// `process.execPath`, because the `node` on the PATH may be older than the one that runs us.
const commandOf = ({ cluster, node, flags }: StartOptions) =>
  ChildProcess.make(
    process.execPath,
    [
      mainModule,
      "serve",
      ...["--cluster-id", cluster.clusterId],
      ...["--node-id", node.id],
      ...["--directory", node.directory],
      ...["--listen", Address.format(node.peer)],
      ...["--http", Address.format(node.http)],
      ...["--clients", Address.format(node.clients)],
      ...cluster.nodes.flatMap(({ id, peer }) => ["--member", `${id}=${Address.format(peer)}`]),
      "--stop-with-stdin",
      ...flags
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "pipe", forceKillAfter: stopMillis }
  )

const linesOf = (bytes: Stream.Stream<Uint8Array, PlatformError.PlatformError>) =>
  Stream.splitLines(Stream.decodeText(bytes))

/** Appends what the process says to its log file, and answers with the last line of it. */
const keepLog = Effect.fnUntraced(function* (handle: ChildProcessHandle, node: NodePlan) {
  const fs = yield* FileSystem.FileSystem
  const encoder = new TextEncoder()
  let last = ""
  yield* linesOf(handle.stderr).pipe(
    Stream.map((line) => {
      last = line.replace(/^effect-raft: /, "")
      return encoder.encode(`${line}\n`)
    }),
    Stream.run(fs.sink(node.logFile, { flag: "a" })),
    Effect.catch((error) => Effect.logWarning(`The log of ${node.id} is incomplete: ${error.message}`))
  )
  return last
})

// The spawner reports a death by signal as an error that has the signal's name in its text only.
const exitOf = (handle: ChildProcessHandle): Effect.Effect<number | string> =>
  handle.exitCode.pipe(
    Effect.map((code): number | string => code),
    Effect.catch((error) => Effect.succeed(/SIG[A-Z0-9]+/.exec(String(error.cause))?.[0] ?? error.message))
  )

/** "killed by SIGKILL", "exited with code 1: …". */
export const describe = ({ by, lastWords }: Ending): string => {
  if (typeof by === "string") return `killed by ${by}`
  return lastWords === "" || by === 0 ? `exited with code ${by}` : `exited with code ${by}: ${lastWords}`
}
