/**
 * The memory of a log is used again when nothing of it is in the log, and nothing of it is being written; and who
 * looks at it later finds nothing.
 */
import { describe, expect, it } from "vitest"
import * as RaftLog from "../src/consensus/RaftLog.ts"
import { ReusedMemory } from "../src/internal/ReusedMemory.ts"
import * as LogEntry from "../src/LogEntry.ts"
import type { EntryBlock } from "../src/LogEntry.ts"
import * as LogIndex from "../src/LogIndex.ts"
import * as Term from "../src/Term.ts"

/** Three entries of this size fill a chunk, and leave a little. */
const chunkBytes = 320
const payloadBytes = 76

/** A log whose node takes turns. */
class Node {
  readonly memory = new ReusedMemory(chunkBytes)
  log = RaftLog.empty()
  issued = 0

  append(bytes = payloadBytes): EntryBlock {
    const block = LogEntry.encodeBlock([{ kind: "Command", payload: new Uint8Array(bytes).fill(7) }], {
      firstIndex: LogIndex.plus(this.log.lastIndex, 1),
      term: Term.Term.make(1),
      timestampMillis: 0,
      take: this.memory.take
    })
    return this.put(block)
  }

  put(block: EntryBlock): EntryBlock {
    this.log = RaftLog.append(this.log, block)
    this.issued += 1
    return block
  }

  fill(count: number, bytes?: number): ReadonlyArray<EntryBlock> {
    return Array.from({ length: count }, () => this.append(bytes))
  }

  compactTo(index: number): void {
    this.log = RaftLog.compactTo(this.log, LogIndex.LogIndex.make(index))
    this.issued += 1
  }

  /** The end of a turn, when all writes up to a ticket have ended. */
  turn(persisted = this.issued): void {
    const { issued, log } = this
    this.memory.tidy({ durability: { issued, persisted }, log })
  }
}

const buffersOf = (blocks: ReadonlyArray<EntryBlock>) => new Set(blocks.map(({ bytes }) => bytes.buffer))

describe("memory that the log alone has", () => {
  it("holds blocks one behind the other", () => {
    const node = new Node()
    const blocks = node.fill(4)
    expect(buffersOf(blocks).size).toBe(2)
    expect(blocks.map(({ bytes }) => bytes.byteOffset)).toEqual([0, 100, 200, 0])
  })

  it("takes in copies of blocks that came from elsewhere", () => {
    const node = new Node()
    const received = new Node().append()
    const kept = node.put(node.memory.adopt(received))
    received.bytes.fill(0)
    expect(LogEntry.entryAt(kept, kept.firstIndex).payload).toEqual(new Uint8Array(payloadBytes).fill(7))
  })

  it("is used again when none of its blocks is in the log", () => {
    const node = new Node()
    const [first] = node.fill(7)
    node.compactTo(3)
    node.turn()
    expect(LogEntry.isGone(first!)).toBe(true)
    expect(() => LogEntry.entryAt(first!, first!.firstIndex)).toThrow(TypeError)
    expect(LogEntry.isGone(node.append())).toBe(false)
  })

  it("stays while one of its blocks is in the log", () => {
    const node = new Node()
    const blocks = node.fill(7)
    node.compactTo(2)
    node.turn()
    expect(blocks.some(LogEntry.isGone)).toBe(false)
  })

  it("stays until the writes have ended that were handed over before its blocks went", () => {
    const node = new Node()
    const [first] = node.fill(7)
    node.compactTo(3)
    node.turn(node.issued - 1)
    expect(LogEntry.isGone(first!)).toBe(false)
    node.turn(node.issued)
    expect(LogEntry.isGone(first!)).toBe(true)
  })

  it("is used again when the log was cut, or gave way to a snapshot", () => {
    const node = new Node()
    const blocks = node.fill(7)
    node.log = RaftLog.truncateFrom(node.log, LogIndex.LogIndex.make(4))
    node.turn()
    expect(blocks.map(LogEntry.isGone)).toEqual([false, false, false, true, true, true, false])
    node.log = RaftLog.empty({ index: LogIndex.LogIndex.make(20), term: Term.Term.make(1) })
    node.turn()
    expect(LogEntry.isGone(blocks[0]!)).toBe(true)
  })

  it("leaves alone what it has not given", () => {
    const node = new Node()
    const recovered = node.put(new Node().append())
    node.fill(6)
    node.compactTo(7)
    node.turn()
    expect(LogEntry.isGone(recovered)).toBe(false)
  })

  it("has room for a block that is larger than a chunk", () => {
    const node = new Node()
    const large = node.append(5 * chunkBytes)
    expect(LogEntry.entryAt(large, large.firstIndex).payload.byteLength).toBe(5 * chunkBytes)
  })

  it("needs no more than the log did before, and gives up what is not needed", () => {
    const node = new Node()
    const cycle = (count: number) => {
      const buffers = buffersOf(node.fill(count))
      node.turn()
      node.compactTo(node.log.lastIndex)
      node.turn()
      return buffers
    }
    const sizeOf = () => node.memory.spareBytes
    cycle(30)
    // One that was half full may be among them, too.
    const most = sizeOf() + chunkBytes
    for (let again = 0; again < 5; again++) cycle(30)
    expect(sizeOf()).toBeLessThanOrEqual(most)
    for (let again = 0; again < 5; again++) cycle(6)
    expect(sizeOf()).toBeLessThanOrEqual(3 * chunkBytes)
  })
})
