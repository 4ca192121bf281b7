/**
 * `pnpm faults:gigabyte`: 1 GiB of writes of 4 KiB, by a native client, through three nodes with the default
 * limit of 64 MiB on the log (less with a number of MiB as argument). Half-way one follower is killed and its
 * directory removed; it must catch up from a snapshot while the writes go on. Printed and checked: that
 * directories and memory stay bounded, and that no follower missed its leader for an election timeout.
 */
import { rmSync } from "node:fs"
import * as path from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { Load } from "./Load.ts"
import * as Nodes from "./Nodes.ts"
import type { Node } from "./Nodes.ts"
import { inMegabytes, Peaks } from "./Peaks.ts"
import * as Report from "./Report.ts"
import { Silence } from "./Silence.ts"
import * as Stall from "./Stall.ts"

const megabyte = 1024 * 1024
const valueBytes = 4 * 1024
/** The state of the machine is that of so many keys: 32 MiB. */
const keys = 8_192
const writers = 256
/** The default of `serve --election-timeout`. */
const electionTimeoutMillis = 500

/**
 * What a directory may hold at most (docs/decisions/0013): the log's window, which goes back to the snapshot
 * before while a follower catches up (64 + 64 MiB), what is applied while a snapshot is written, four segments
 * of 16 MiB that are begun, made ahead or partly needed, the snapshot, and the next one.
 */
const maxDirectoryBytes = (64 + 64 + 64 + 4 * 16) * megabyte + 2 * keys * (valueBytes + 64)

/** The state, the log's window, a snapshot's copies of what is overwritten meanwhile, and Node itself. */
const maxMemoryBytes = 1024 * megabyte

const totalBytes = Number(process.argv[2] ?? 1024) * megabyte

/** Where a node notes what takes long in it. */
const stallsOf = ({ directory }: Node): string => `${directory}.stalls`

/** Puts the leader's office where no trace is written, so that what is measured is a follower. */
const startAll = async (nodes: ReadonlyArray<Node>, traceFile: string): Promise<Node> => {
  const [n1, n2, n3] = nodes as [Node, Node, Node]
  await Promise.all([n1, n3].map((node) => node.start({ stallsFile: stallsOf(node) })))
  const leader = await Nodes.leaderOf([n1, n3])
  await n2.start({ traceFile, stallsFile: stallsOf(n2) })
  await Nodes.caughtUp(n2, leader)
  return leader
}

/** A follower whose disk is emptied while the load goes on. */
class Emptied {
  /** The node of which there is no directory, or no process, to look at. */
  away: Node | undefined
  /** How many writes there were when it had what there was when it came back. */
  caughtUpAtWrite: number | undefined
  private run: Promise<void> | undefined

  get hasBegun(): boolean {
    return this.run !== undefined
  }

  /** Empties one that leads nobody and has no trace, and ends when it has caught up. */
  begin(nodes: ReadonlyArray<Node>, load: Load, seconds: () => string): void {
    this.run = this.empty(nodes, load, seconds)
    this.run.catch(() => load.stop())
  }

  async end(): Promise<void> {
    await this.run
  }

  private async empty(nodes: ReadonlyArray<Node>, load: Load, seconds: () => string): Promise<void> {
    const leader = await Nodes.leaderOf(nodes)
    const node = nodes.find((other) => other !== leader && other.id !== "n2")!
    Report.note(`${seconds()} s: ${node.id} is killed and its directory removed`)
    this.away = node
    await node.kill("SIGKILL")
    rmSync(node.directory, { recursive: true })
    await node.start({ stallsFile: stallsOf(node) })
    this.away = undefined
    await Nodes.caughtUp(node, leader, 300_000)
    this.caughtUpAtWrite = load.writes
    Report.note(`${seconds()} s: ${node.id} has caught up with what was written when it came back`)
  }
}

const run = async ({ directory, nodes }: Nodes.Cluster): Promise<void> => {
  const traceFile = path.join(directory, "n2.ndjson")
  const leader = await startAll(nodes, traceFile)
  const load = new Load(nodes, { writers, keys, valueBytes, totalBytes })
  try {
    await watch({ leader, nodes, load, silence: new Silence(traceFile) })
  } finally {
    await load.close()
  }
}

const watch = async (cluster: {
  readonly leader: Node
  readonly nodes: ReadonlyArray<Node>
  readonly load: Load
  readonly silence: Silence
}): Promise<void> => {
  const { leader, load, nodes, silence } = cluster
  const emptied = new Emptied()
  const term = (await Nodes.statusOf(leader))?.term
  const peaks = new Peaks()
  const ownDelay = monitorEventLoopDelay({ resolution: 10 })
  ownDelay.enable()
  const begunAt = performance.now()
  const seconds = () => ((performance.now() - begunAt) / 1_000).toFixed(0)
  const writing = load.run()

  let seenTerm = term
  while (!load.isOver) {
    silence.readOn()
    await peaks.look(nodes.filter((node) => node !== emptied.away))
    const now = await Nodes.statusOf(nodes[1]!)
    if (now !== undefined && now.term !== seenTerm) {
      Report.note(`${seconds()} s: term ${now.term}, leader ${now.leader ?? "none"}`)
      seenTerm = now.term
    }
    if (!emptied.hasBegun && load.writtenBytes > totalBytes / 2) emptied.begin(nodes, load, seconds)
    await Promise.race([sleep(250), writing])
  }
  await writing
  const elapsed = seconds()
  await emptied.end()
  for (const node of nodes) await Nodes.caughtUp(node, leader)
  silence.readOn()

  Report.note(`${load.writes} writes, ${(load.writtenBytes / megabyte).toFixed(0)} MiB in ${elapsed} s`)
  Report.note(
    `longest delay of this process itself, as a measure of the machine: ${(ownDelay.max / 1e6).toFixed(0)} ms`
  )
  Report.note(`term ${term} at the beginning, ${(await Nodes.statusOf(leader))?.term} in the end`)
  explain(leader, nodes, silence)
  judge({ load, peaks, silence, emptied })
  Report.check((await Nodes.statusOf(leader))?.term === term, "there was no election")
}

/** What took long on each node, in all and beside the longest silence. */
const explain = (leader: Node, nodes: ReadonlyArray<Node>, { longestMillis, sinceMillis }: Silence): void => {
  for (const node of nodes) {
    const office = node === leader ? "the leader" : "a follower"
    Report.note(`longest on ${node.id}, ${office}: ${Stall.longest(stallsOf(node))}`)
    for (const stall of Stall.between(stallsOf(node), sinceMillis, sinceMillis + longestMillis)) {
      Report.note(`beside the longest silence on ${node.id}: ${stall}`)
    }
  }
}

const judge = (seen: {
  readonly load: Load
  readonly peaks: Peaks
  readonly silence: Silence
  readonly emptied: Emptied
}): void => {
  const { directoryBytes, memoryBytes } = seen.peaks
  Report.note(`largest directories: ${inMegabytes(directoryBytes)}`)
  Report.note(`largest processes: ${inMegabytes(memoryBytes)}`)
  const { longestMillis, sinceMillis } = seen.silence
  const since = new Date(sinceMillis).toISOString()
  Report.note(
    `longest silence of the leader, as a follower saw it: ${longestMillis.toFixed(0)} ms, from ${since}`
  )
  for (const [kind, count] of seen.load.failures) Report.note(`${count} writes were answered: ${kind}`)
  Report.check(
    [...directoryBytes.values()].every((bytes) => bytes <= maxDirectoryBytes),
    `no directory was larger than ${(maxDirectoryBytes / megabyte).toFixed(0)} MiB`
  )
  Report.check(
    [...memoryBytes.values()].every((bytes) => bytes <= maxMemoryBytes),
    `no process was larger than ${maxMemoryBytes / megabyte} MiB`
  )
  Report.check(
    (seen.emptied.caughtUpAtWrite ?? Infinity) * valueBytes < totalBytes,
    "the emptied follower caught up while the writes went on"
  )
  Report.check(
    longestMillis > 0 && longestMillis < electionTimeoutMillis,
    `the leader was never silent for an election timeout, ${electionTimeoutMillis} ms`
  )
  Report.check(seen.load.failures.size === 0, "every write was acknowledged")
}

await Report.main(async () => {
  const cluster = await Nodes.cluster()
  try {
    await run(cluster)
  } finally {
    await cluster.remove()
  }
})
