/**
 * How long a follower heard nothing of its leader, at most, from its trace, which is read as it grows.
 */
import { openSync, readSync } from "node:fs"

const chunkBytes = 1024 * 1024

export class Silence {
  longestMillis = 0
  /** When the longest one began, in milliseconds since the epoch. */
  sinceMillis = 0
  private heardMillis: number | undefined
  private position = 0
  private unfinished = ""
  private readonly chunk = Buffer.alloc(chunkBytes)
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
    const { heardMillis } = this
    this.heardMillis = timeMillis
    if (heardMillis === undefined || timeMillis - heardMillis <= this.longestMillis) return
    this.longestMillis = timeMillis - heardMillis
    this.sinceMillis = heardMillis
  }
}
