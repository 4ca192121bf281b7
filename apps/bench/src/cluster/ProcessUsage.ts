/**
 * What a process has used so far, as the system counts it (Linux, /proc): processor time and memory; and
 * what all processes together made the disks and the loopback interface do.
 *
 * Bytes are counted at the disk and not at the process: for a process the system counts the whole folio,
 * up to a megabyte, for every page that is touched, though only the blocks that changed are written.
 */
import * as NodeFs from "node:fs"

export interface Usage {
  /** User and system time of all its threads. */
  readonly cpuMicros: number
  readonly residentBytes: number
  /** The same, but of a page that several processes share, such as the text of a program, only its part. */
  readonly proportionalBytes: number
}

const ticksPerSecond = 100

/** Zeros for a process that is gone. */
export const of = (pid: number): Usage => {
  const stat = read(`/proc/${pid}/stat`)
  // The name, which may hold blanks, stands in brackets before.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  return {
    cpuMicros: (ticks * 1_000_000) / ticksPerSecond,
    residentBytes: numberAfter("VmRSS:", read(`/proc/${pid}/status`)) * 1024,
    proportionalBytes: numberAfter("Pss:", read(`/proc/${pid}/smaps_rollup`)) * 1024
  }
}

/** The sum over several processes. */
export const ofAll = (pids: ReadonlyArray<number>): Usage =>
  pids.map(of).reduce((sum, one) => ({
    cpuMicros: sum.cpuMicros + one.cpuMicros,
    residentBytes: sum.residentBytes + one.residentBytes,
    proportionalBytes: sum.proportionalBytes + one.proportionalBytes
  }))

/** What the disks of this machine have done; for everybody, so only of use when nobody else is busy. */
export interface DiskUsage {
  readonly flushes: number
  readonly writtenBytes: number
}

const nameColumn = 2
const sectorsWrittenColumn = 9
const flushesColumn = 18
const sectorBytes = 512

export const disks = (): DiskUsage => {
  let flushes = 0
  let sectors = 0
  for (const line of read("/proc/diskstats").split("\n")) {
    const columns = line.trim().split(/\s+/)
    // A partition has a line of its own, and is counted with its disk.
    if (!NodeFs.existsSync(`/sys/block/${columns[nameColumn]}`)) continue
    flushes += Number(columns[flushesColumn] ?? 0)
    sectors += Number(columns[sectorsWrittenColumn] ?? 0)
  }
  return { flushes, writtenBytes: sectors * sectorBytes }
}

const sentColumn = 9

/** Bytes that went over the loopback interface, headers and acknowledgements included; for everybody, too. */
export const wireBytes = (): number => {
  const line = read("/proc/net/dev")
    .split("\n")
    .find((candidate) => candidate.trimStart().startsWith("lo:"))
  return Number(line?.trim().split(/\s+/)[sentColumn] ?? 0)
}

const read = (path: string): string => {
  try {
    return NodeFs.readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const numberAfter = (label: string, text: string): number => {
  const at = text.indexOf(label)
  return at === -1 ? 0 : Number.parseInt(text.slice(at + label.length), 10)
}
