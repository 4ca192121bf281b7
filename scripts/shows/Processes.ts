/**
 * Nodes as processes of their own, `effect-raft serve` with ports for peers, HTTP and native clients. They
 * are killed, by their own pids, when the scope closes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeChildProcess from "node:child_process"
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { portsFrom } from "../../apps/demo/src/ClusterPlan.ts"
import * as Ports from "../../apps/demo/src/Ports.ts"
import { Broken } from "./Show.ts"

const program = NodePath.resolve(import.meta.dirname, "../../apps/demo/src/main.ts")

/** The timing that all nodes of a show have: the defaults of `serve`. */
export const electionTimeoutMillis = 500

/** Where one node lives. */
export interface Place {
  readonly id: string
  /** For peers. */
  readonly address: string
  /** For native clients. */
  readonly clients: string
  readonly url: string
  readonly directory: string
}

export interface Running {
  readonly place: Place
  readonly kill: (signal: NodeJS.Signals) => void
  /** Ends when the process has. */
  readonly ended: Effect.Effect<void>
}

/** Places for `count` nodes: a directory that goes with the scope, ports that are free. */
export const places = Effect.fnUntraced(function* (count: number) {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "effect-raft-show-"))),
    (directory) => Effect.sync(() => NodeFs.rmSync(directory, { recursive: true }))
  )
  const base = yield* Effect.orDie(Ports.freeBase((from) => portsFrom(from, count)))
  return Array.from({ length: count }, (_, at): Place => {
    const id = `n${at + 1}`
    return {
      id,
      address: `127.0.0.1:${base + 1 + at}`,
      clients: `127.0.0.1:${base + 201 + at}`,
      url: `http://127.0.0.1:${base + 101 + at}`,
      directory: NodePath.join(root, id)
    }
  })
})

/** Starts a node and waits until it is ready: one of these members, or one that is to join. */
export const start = (
  place: Place,
  members: ReadonlyArray<Place> | "join"
): Effect.Effect<Running, Broken, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => launch(place, members)),
    ({ ended, kill }) =>
      Effect.andThen(
        Effect.sync(() => kill("SIGKILL")),
        ended
      )
  ).pipe(Effect.flatMap((launched) => Effect.as(launched.ready, launched)))

const launch = (place: Place, members: ReadonlyArray<Place> | "join") => {
  const belonging =
    members === "join" ? ["--join"] : members.flatMap(({ address, id }) => ["--member", `${id}=${address}`])
  const child = NodeChildProcess.spawn(
    process.execPath,
    [
      ...[program, "serve", "--stop-with-stdin", "--node-id", place.id, "--directory", place.directory],
      ...["--listen", place.address, "--http", place.url.replace("http://", ""), "--clients", place.clients],
      ...["--election-timeout", String(electionTimeoutMillis)],
      ...belonging
    ],
    { stdio: ["pipe", "pipe", "pipe"] }
  )
  child.stdin.on("error", () => undefined)
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4096)))
  const ended = Effect.callback<void>((resume) => {
    const done = () => resume(Effect.void)
    if (child.exitCode !== null || child.signalCode !== null) return done()
    child.once("exit", done)
  })
  const ready = Effect.callback<void, Broken>((resume) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes(" ready: ")) resume(Effect.void)
    })
    child.once("exit", () =>
      resume(Effect.fail(new Broken({ message: `${place.id} did not start: ${said}` })))
    )
  })
  return { place, ready, ended, kill: (signal: NodeJS.Signals) => void child.kill(signal) }
}
