/**
 * The memory of a node's log, which the log alone has, and which is used again.
 *
 * Blocks lie one behind the other in chunks. A chunk of which no block is left in the log is filled anew, but not
 * before the write has ended that came after those blocks had gone: writes end in the order in which they were handed
 * over, so none that is under way has anything of them. Whoever else looks at the log does so within a turn (replicators,
 * the applier), or copies, which transport and store promise (`copiesBlocks`).
 *
 * It cannot be looked at too late. A chunk's buffer is transferred before it is used again, which detaches
 * every view that anybody still has: such a view is empty from then on, and to read an entry from it throws.
 */
import * as Context from "effect/Context"
import type { LogMemory } from "../consensus/LogMemory.ts"
import type { Durability, NodeState } from "../consensus/NodeState.ts"
import type { RaftLog } from "../consensus/RaftLog.ts"
import type { EntryBlock } from "../LogEntry.ts"

type Chunk = Uint8Array<ArrayBuffer>

/** Bytes of a chunk; one for a larger block has a little more than that block. A log holds some MiB, and one chunk that fills. */
export const ChunkBytes = Context.Reference<number>("@effect-raft/core/LogChunkBytes", {
  defaultValue: () => 512 * 1024
})

/** Chunks of which nothing is in the log any more. */
interface Retired {
  readonly chunks: ReadonlyArray<Chunk>
  /** The last write that may have something of them. */
  readonly ticket: number
}

/** What is asked of a node's state. */
interface Known extends Pick<NodeState, "log"> {
  readonly durability: Pick<Durability, "issued" | "persisted">
}

export class ReusedMemory implements LogMemory {
  private readonly chunkBytes: number
  private filling: Chunk = new Uint8Array(0)
  private filledBytes = 0
  /** Full, and perhaps in the log. */
  private full: Array<Chunk> = []
  /** The oldest first. */
  private retired: ReadonlyArray<Retired> = []
  /** Nobody looks into them. */
  private spare: Array<Chunk> = []
  /** The fewest that were spare since chunks last retired: so many were not needed. */
  private leastSpare = 0
  /** The blocks that were in the log when it was last looked at: as long as it is the same array none has gone. */
  private blocks: ReadonlyArray<EntryBlock> | undefined

  constructor(chunkBytes: number) {
    this.chunkBytes = chunkBytes
  }

  /** What waits to be filled. */
  get spareBytes(): number {
    return this.spare.reduce((bytes, chunk) => bytes + chunk.byteLength, 0)
  }

  readonly take = (bytes: number): Uint8Array => {
    if (this.filling.byteLength - this.filledBytes < bytes) {
      if (this.filledBytes > 0) this.full.push(this.filling)
      this.filling = this.emptyChunk(bytes)
      this.filledBytes = 0
    }
    const start = this.filledBytes
    this.filledBytes += bytes
    return this.filling.subarray(start, start + bytes)
  }

  readonly adopt = (block: EntryBlock): EntryBlock => {
    const bytes = this.take(block.bytes.byteLength)
    bytes.set(block.bytes)
    return { ...block, bytes }
  }

  /** After a turn, when everybody has the log as it is now. */
  tidy({ durability: { issued, persisted }, log }: Known): void {
    if (log.chunks !== this.blocks) this.retire(log, issued)
    if (this.retired.length > 0) this.release(persisted)
  }

  private retire(log: RaftLog, ticket: number): void {
    this.blocks = log.chunks
    const inLog = new Set<ArrayBufferLike>()
    for (let at = 0; at < log.chunkCount; at++) inLog.add(log.chunks[at]!.bytes.buffer)
    const chunks = this.full.filter(({ buffer }) => !inLog.has(buffer))
    if (chunks.length === 0) return
    this.full = this.full.filter(({ buffer }) => inLog.has(buffer))
    this.retired = [...this.retired, { chunks, ticket }]
    this.spare.splice(0, this.leastSpare)
    this.leastSpare = this.spare.length
  }

  private release(persisted: number): void {
    while (this.retired.length > 0 && this.retired[0]!.ticket <= persisted) {
      const [{ chunks }, ...later] = this.retired as readonly [Retired, ...Array<Retired>]
      this.retired = later
      for (const { buffer } of chunks) this.spare.push(new Uint8Array(buffer.transfer()))
      this.leastSpare += chunks.length
    }
  }

  private emptyChunk(bytes: number): Chunk {
    const at = this.spare.findIndex((chunk) => chunk.byteLength >= bytes)
    const [found] = at < 0 ? [] : this.spare.splice(at, 1)
    this.leastSpare = Math.min(this.leastSpare, this.spare.length)
    // Blocks that are nearly alike fit into each other's chunks.
    const sizes = this.chunkBytes / 8
    return found ?? new Uint8Array(Math.max(this.chunkBytes, Math.ceil(bytes / sizes) * sizes))
  }
}
