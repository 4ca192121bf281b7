/**
 * The largest directory and the largest process that were seen of each node.
 */
import { execFile } from "node:child_process"
import { readdirSync, statSync } from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import type { Node } from "./Nodes.ts"

const megabyte = 1024 * 1024

export class Peaks {
  readonly directoryBytes = new Map<string, number>()
  readonly memoryBytes = new Map<string, number>()

  /** Looks at nodes that run. */
  async look(nodes: ReadonlyArray<Node>): Promise<void> {
    for (const node of nodes) raise(this.directoryBytes, node.id, sizeOf(node.directory))
    const memory = await residentBytes(nodes.map((node) => node.pid()))
    for (const node of nodes) raise(this.memoryBytes, node.id, memory.get(node.pid()) ?? 0)
  }
}

export const inMegabytes = (peaks: ReadonlyMap<string, number>): string =>
  [...peaks].map(([id, bytes]) => `${id} ${(bytes / megabyte).toFixed(0)} MiB`).join(", ")

const raise = (peaks: Map<string, number>, id: string, value: number): void => {
  peaks.set(id, Math.max(peaks.get(id) ?? 0, value))
}

const sizeOf = (directory: string): number => {
  let bytes = 0
  for (const name of readdirSync(directory)) {
    // A file may go while it is looked at.
    bytes += statSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

/** By process; one that has ended is not told. */
const residentBytes = async (pids: ReadonlyArray<number>): Promise<ReadonlyMap<number, number>> => {
  const { stdout } = await promisify(execFile)("ps", ["-o", "pid=,rss=", "-p", pids.join(",")])
  const lines = stdout.trim().split("\n")
  return new Map(
    lines
      .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
      .map(([pid, kibibytes]) => [pid, 1024 * kibibytes])
  )
}
