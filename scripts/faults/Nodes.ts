/**
 * A cluster of real `effect-raft serve` processes for runs that break things under them. Every process
 * that was started is killed when this one ends.
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Broken } from "./Report.ts"

const program = path.resolve(import.meta.dirname, "../../apps/demo/src/main.ts")
const stalls = new URL("Stalls.ts", import.meta.url).href

/** How a process ended, and what it said on its standard error. */
export interface Ended {
  /** The exit code, or the name of the signal. */
  readonly by: number | string
  readonly stderr: string
}

export interface Node {
  readonly id: string
  readonly directory: string
  readonly url: string
  /** Where it listens for native clients. */
  readonly clients: string
  /** Of the process that runs now. */
  readonly pid: () => number
  /** Starts it and waits until it is ready. */
  readonly start: (options?: StartOptions) => Promise<void>
  /** Starts it where it is not expected to get ready. */
  readonly startToFail: () => Promise<Ended>
  readonly kill: (signal: NodeJS.Signals) => Promise<Ended>
  /** Ends when the process does. */
  readonly ended: () => Promise<Ended>
}

export interface StartOptions {
  /** The file that gets the node's trace (docs/trace.md). */
  readonly traceFile?: string
  /** The file that gets what takes long in it (`Stalls`). */
  readonly stallsFile?: string
}

export interface Cluster {
  readonly nodes: ReadonlyArray<Node>
  readonly directory: string
  /** Kills what runs and removes the directory. */
  readonly remove: () => Promise<void>
}

const inside = (id: string, root: string): string => path.join(root, id)

/** Three nodes, not started. `directoryOf` says where a node's data lies, if not in a temporary directory. */
export const cluster = async (directoryOf: (id: string, root: string) => string = inside) => {
  const root = mkdtempSync(path.join(tmpdir(), "effect-raft-faults-"))
  const ids = ["n1", "n2", "n3"]
  const ports = await freePorts(3 * ids.length)
  const address = (group: number, at: number) => `127.0.0.1:${ports[group * ids.length + at]}`
  const members = ids.flatMap((id, at) => ["--member", `${id}=${address(0, at)}`])
  const nodes = ids.map((id, at) =>
    makeNode({
      id,
      directory: directoryOf(id, root),
      url: `http://${address(1, at)}`,
      clients: address(2, at),
      args: [
        ...["serve", "--node-id", id, "--directory", directoryOf(id, root), "--stop-with-stdin"],
        ...["--listen", address(0, at), "--http", address(1, at), "--clients", address(2, at)],
        ...members
      ]
    })
  )
  return {
    nodes,
    directory: root,
    remove: async () => {
      await Promise.all(nodes.map((node) => node.kill("SIGKILL")))
      rmSync(root, { recursive: true, force: true })
    }
  } satisfies Cluster
}

const makeNode = (options: {
  readonly id: string
  readonly directory: string
  readonly url: string
  readonly clients: string
  readonly args: ReadonlyArray<string>
}): Node => {
  let process_: Running | undefined
  const running = (): Running => {
    if (process_ === undefined) throw new Error(`${options.id} was not started`)
    return process_
  }
  return {
    id: options.id,
    directory: options.directory,
    url: options.url,
    clients: options.clients,
    pid: () => running().child.pid ?? 0,
    start: async ({ stallsFile, traceFile } = {}) => {
      const trace = traceFile === undefined ? [] : ["--trace", traceFile]
      const [flags, env] =
        stallsFile === undefined ? [[], {}] : [["--import", stalls], { STALLS_FILE: stallsFile }]
      process_ = launch([...flags, program, ...options.args, ...trace], env)
      await process_.ready
    },
    startToFail: () => {
      process_ = launch([program, ...options.args])
      process_.ready.catch(() => undefined)
      return process_.ended
    },
    kill: async (signal) => {
      if (process_ === undefined) return { by: "never started", stderr: "" }
      process_.child.kill(signal)
      return process_.ended
    },
    ended: () => running().ended
  }
}

interface Running {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  readonly ended: Promise<Ended>
}

/** How long a node may take to get ready, on a machine that is busy. */
const startMillis = 60_000

/** What is kept of what a node says on its standard error. */
const keptCharacters = 64 * 1024

const launch = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Running => {
  // Standard input is a pipe that only we hold: when we die, however we die, the node stops.
  const child = spawn(process.execPath, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env }
  })
  child.stdin.on("error", () => undefined)
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-keptCharacters)
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ by: code ?? signal ?? "?", stderr }))
  })
  const said = new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => text.includes(" ready: ") && resolve())
  })
  const failed = ended.then(({ by }): never => {
    throw new Broken(`a node ended (${by}) before it was ready: ${stderr}`)
  })
  const late = sleep(startMillis, undefined, { ref: false }).then((): never => {
    throw new Broken(`a node was not ready after ${startMillis / 1000} s`)
  })
  return { child, ended, ready: Promise.race([said, failed, late]) }
}

/** Ports that are free now, below the range from which the system takes those of outgoing connections. */
const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const ports: Array<number> = []
  while (ports.length < count) {
    const port = 10_100 + Math.floor(Math.random() * 20_000)
    if (!ports.includes(port) && (await isFree(port))) ports.push(port)
  }
  return ports
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)))
  })

export interface Status {
  readonly role: string
  readonly term: number
  readonly leader: string | null
  readonly commit: number
  readonly applied: number
}

/** What a node says of itself; `undefined` where it does not answer. */
export const statusOf = async (node: Node): Promise<Status | undefined> => {
  try {
    const response = await fetch(`${node.url}/status`, { signal: AbortSignal.timeout(1_000) })
    return (await response.json()) as Status
  } catch {
    return undefined
  }
}

/** Waits until `condition` holds, and fails after a while. */
export const until = async (
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMillis = 60_000
): Promise<void> => {
  const begunAt = Date.now()
  while (!(await condition())) {
    if (Date.now() - begunAt > limitMillis)
      throw new Broken(`after ${limitMillis / 1000} s still not: ${what}`)
    await sleep(50)
  }
}

/** The node that leads, as soon as one does. */
export const leaderOf = async (nodes: ReadonlyArray<Node>): Promise<Node> => {
  let leader: Node | undefined
  await until("a node leads", async () => {
    for (const node of nodes) if ((await statusOf(node))?.role === "Leader") leader = node
    return leader !== undefined
  })
  return leader!
}

/** Waits until `node` has applied what `other` has committed by now. */
export const caughtUp = async (node: Node, other: Node, limitMillis?: number): Promise<void> => {
  let target: number | undefined
  await until(
    `${node.id} has caught up`,
    async () => {
      target ??= (await statusOf(other))?.commit
      const applied = (await statusOf(node))?.applied
      return target !== undefined && applied !== undefined && applied >= target
    },
    limitMillis
  )
}
