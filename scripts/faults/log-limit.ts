/**
 * `pnpm faults:gigabyte`: 1 GiB of writes of 4 KiB through three nodes with the default limit of 64 MiB on
 * the log (less with a number of MiB as argument). Half-way one follower is killed and its directory
 * removed; it must catch up from a snapshot while the writes go on. Printed and checked: that directories
 * and memory stay bounded, and that no follower missed its leader for an election timeout.
 */
import { spawnSync } from "node:child_process"
import { openSync, readSync, readdirSync, rmSync, statSync } from "node:fs"
import { Agent, request } from "node:http"
import * as path from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import * as Nodes from "./Nodes.ts"
import type { Node } from "./Nodes.ts"
import * as Report from "./Report.ts"

const megabyte = 1024 * 1024
const valueBytes = 4 * 1024
/** The state of the machine is that of so many keys: 32 MiB. */
const keys = 8_192
const writers = 256
/** The default of `serve --election-timeout`. */
const electionTimeoutMillis = 500

/**
 * What a directory may hold at most (docs/decisions/0013): the log's window (64 + 16 MiB), what is applied
 * while a snapshot is written, four segments of 16 MiB that are begun, made ahead or partly needed, the
 * snapshot, and the next one.
 */
const maxDirectoryBytes = (64 + 16 + 64 + 4 * 16) * megabyte + 2 * keys * (valueBytes + 64)

/** The state, the log's window, a snapshot's copies of what is overwritten meanwhile, and Node itself. */
const maxMemoryBytes = 1024 * megabyte

const targetBytes = Number(process.argv[2] ?? 1024) * megabyte

interface Load {
  writes: number
  /** Why writes were not acknowledged, and how often. */
  readonly failures: Map<string, number>
  isOver: boolean
}

const agent = new Agent({ keepAlive: true, maxSockets: writers })

/** Writes a value; says why it was not acknowledged, if it was not. */
const put = (node: Node, key: string, body: Uint8Array): Promise<string | undefined> =>
  new Promise((resolve) => {
    const asked = request(`${node.url}/kv/${key}`, { method: "PUT", agent, timeout: 10_000 }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => (text += part))
      response.on("end", () => resolve(response.statusCode === 200 ? undefined : text))
    })
    asked.on("timeout", () => asked.destroy(new Error("no answer in 10 s")))
    asked.on("error", ({ message }) => resolve(message))
    asked.end(body)
  })

const write = async (load: Load, node: Node, value: Uint8Array): Promise<void> => {
  while (load.writes * valueBytes < targetBytes && !load.isOver) {
    const failure = await put(node, `key-${load.writes++ % keys}`, value)
    if (failure === undefined) continue
    const kind = failure.replaceAll(/\d+/g, "N")
    load.failures.set(kind, (load.failures.get(kind) ?? 0) + 1)
  }
}

const sizeOf = (directory: string): number => {
  let bytes = 0
  for (const name of readdirSync(directory)) {
    // A file may go while it is looked at.
    bytes += statSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

const residentBytes = (node: Node): number =>
  1024 * Number(spawnSync("ps", ["-o", "rss=", "-p", String(node.pid())], { encoding: "utf8" }).stdout)

/** The most that was seen of each node. */
class Peaks {
  readonly directoryBytes = new Map<string, number>()
  readonly memoryBytes = new Map<string, number>()

  look(node: Node): void {
    raise(this.directoryBytes, node.id, sizeOf(node.directory))
    raise(this.memoryBytes, node.id, residentBytes(node))
  }
}

const raise = (peaks: Map<string, number>, id: string, value: number): void => {
  peaks.set(id, Math.max(peaks.get(id) ?? 0, value))
}

const inMegabytes = (peaks: ReadonlyMap<string, number>): string =>
  [...peaks].map(([id, bytes]) => `${id} ${(bytes / megabyte).toFixed(0)} MiB`).join(", ")

/** How long a follower heard nothing of its leader, at most, from its trace, which is read as it grows. */
class Silence {
  longestMillis = 0
  private heardMillis: number | undefined
  private position = 0
  private unfinished = ""
  private readonly chunk = Buffer.alloc(megabyte)
  private readonly file: number

  constructor(file: string) {
    this.file = openSync(file, "r")
  }

  readOn(): void {
    for (;;) {
      const bytes = readSync(this.file, this.chunk, 0, this.chunk.byteLength, this.position)
      if (bytes === 0) return
      this.position += bytes
      const lines = (this.unfinished + this.chunk.toString("latin1", 0, bytes)).split("\n")
      this.unfinished = lines.pop() ?? ""
      for (const line of lines) this.hear(line)
    }
  }

  private hear(line: string): void {
    if (!line.startsWith('{"_tag":"Received"') || !/"AppendEntries"|"InstallSnapshot"/.test(line)) return
    const timeMillis = Number(/"timeMillis":([\d.]+)/.exec(line)?.[1])
    if (this.heardMillis !== undefined)
      this.longestMillis = Math.max(this.longestMillis, timeMillis - this.heardMillis)
    this.heardMillis = timeMillis
  }
}

/** Puts the leader's office where no trace is written, so that what is measured is a follower. */
const startAll = async (nodes: ReadonlyArray<Node>, traceFile: string): Promise<Node> => {
  const [n1, n2, n3] = nodes as [Node, Node, Node]
  await Promise.all([n1.start(), n3.start()])
  const leader = await Nodes.leaderOf([n1, n3])
  await n2.start({ traceFile })
  await Nodes.caughtUp(n2, leader)
  return leader
}

/** A follower whose disk is emptied while the load goes on. */
class Emptied {
  readonly node: Node
  /** Whether there is no directory, or no process, to look at. */
  isAway = false
  /** How many writes there were when it had what there was when it came back. */
  caughtUpAtWrite: number | undefined
  private run: Promise<void> | undefined

  constructor(node: Node) {
    this.node = node
  }

  get hasBegun(): boolean {
    return this.run !== undefined
  }

  /** Empties it, and ends when it has caught up. */
  begin(leader: Node, load: Load, seconds: () => string): void {
    this.run = this.empty(leader, load, seconds)
    this.run.catch(() => (load.isOver = true))
  }

  async end(): Promise<void> {
    await this.run
  }

  private async empty(leader: Node, load: Load, seconds: () => string): Promise<void> {
    const { node } = this
    Report.note(`${seconds()} s: ${node.id} is killed and its directory removed`)
    this.isAway = true
    await node.kill("SIGKILL")
    rmSync(node.directory, { recursive: true })
    await node.start()
    this.isAway = false
    await Nodes.caughtUp(node, leader, 300_000)
    this.caughtUpAtWrite = load.writes
    Report.note(`${seconds()} s: ${node.id} has caught up with what was written when it came back`)
  }
}

const run = async ({ directory, nodes }: Nodes.Cluster): Promise<void> => {
  const traceFile = path.join(directory, "n2.ndjson")
  const leader = await startAll(nodes, traceFile)
  const silence = new Silence(traceFile)
  const emptied = new Emptied(nodes.find((node) => node !== leader && node.id !== "n2")!)
  const term = (await Nodes.statusOf(leader))?.term
  const load: Load = { writes: 0, failures: new Map(), isOver: false }
  const peaks = new Peaks()
  const ownDelay = monitorEventLoopDelay({ resolution: 10 })
  ownDelay.enable()
  const begunAt = performance.now()
  const seconds = () => ((performance.now() - begunAt) / 1_000).toFixed(0)
  const value = new Uint8Array(valueBytes).fill(120)
  const writing = Promise.all(Array.from({ length: writers }, () => write(load, leader, value)))
  const ended = writing.then(() => (load.isOver = true))

  let seenTerm = term
  while (!load.isOver) {
    silence.readOn()
    for (const node of nodes) if (!(emptied.isAway && node === emptied.node)) peaks.look(node)
    const now = await Nodes.statusOf(nodes[1]!)
    if (now !== undefined && now.term !== seenTerm) {
      Report.note(`${seconds()} s: term ${now.term}, leader ${now.leader ?? "none"}`)
      seenTerm = now.term
    }
    if (!emptied.hasBegun && load.writes * valueBytes > targetBytes / 2) emptied.begin(leader, load, seconds)
    await Promise.race([sleep(250), ended])
  }
  await writing
  const elapsed = seconds()
  await emptied.end()
  for (const node of nodes) await Nodes.caughtUp(node, leader)

  const total = load.writes * valueBytes
  Report.note(`${load.writes} writes, ${(total / megabyte).toFixed(0)} MiB in ${elapsed} s`)
  Report.note(`largest directories: ${inMegabytes(peaks.directoryBytes)}`)
  Report.note(`largest processes: ${inMegabytes(peaks.memoryBytes)}`)
  Report.note(`longest silence of the leader, as a follower saw it: ${silence.longestMillis.toFixed(0)} ms`)
  Report.note(`term ${term} at the beginning, ${(await Nodes.statusOf(leader))?.term} in the end`)
  const ownDelayMillis = ownDelay.max / 1e6
  Report.note(
    `longest delay of this process itself, as a measure of the machine: ${ownDelayMillis.toFixed(0)} ms`
  )
  for (const [kind, count] of load.failures) Report.note(`${count} writes were answered: ${kind}`)
  Report.check(
    [...peaks.directoryBytes.values()].every((bytes) => bytes <= maxDirectoryBytes),
    `no directory was larger than ${(maxDirectoryBytes / megabyte).toFixed(0)} MiB`
  )
  Report.check(
    [...peaks.memoryBytes.values()].every((bytes) => bytes <= maxMemoryBytes),
    `no process was larger than ${maxMemoryBytes / megabyte} MiB`
  )
  Report.check(
    (emptied.caughtUpAtWrite ?? Infinity) * valueBytes < targetBytes,
    "the emptied follower caught up while the writes went on"
  )
  Report.check(
    silence.longestMillis > 0 && silence.longestMillis < electionTimeoutMillis,
    `the leader was never silent for an election timeout, ${electionTimeoutMillis} ms`
  )
  Report.check((await Nodes.statusOf(leader))?.term === term, "there was no election")
  Report.check(load.failures.size === 0, "every write was acknowledged")
}

await Report.main(async () => {
  const cluster = await Nodes.cluster()
  try {
    await run(cluster)
  } finally {
    agent.destroy()
    await cluster.remove()
  }
})
