/**
 * The fiber that writes to the disk.
 *
 * The actor hands over what must become durable and goes on; while one write is under way all that
 * arrives waits, and goes into the next write together (group commit). After each write the actor learns
 * up to which ticket it may believe. A failed write ends the node; it is never tried again.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Persist } from "../consensus/Action.ts"
import type { Persisted } from "../consensus/Event.ts"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { LogBase, LogStore, StorageError, WriteBatch } from "../RaftStorage.ts"

export interface LogWriter {
  /** Queues a write. Never waits; what can pile up is bounded by what the leader may have uncommitted. */
  readonly enqueue: (persist: Persist) => void
  /** Writes for ever; fails with the disk. */
  readonly run: Effect.Effect<never, StorageError>
}

export const make = (store: LogStore, onPersisted: (event: Persisted) => void): Effect.Effect<LogWriter> =>
  Effect.gen(function* () {
    const inbox = yield* Queue.unbounded<Persist>()

    const writeOnce = Effect.gen(function* () {
      const waiting = yield* Queue.takeAll(inbox)
      yield* store.write(waiting.map(toBatch).reduce(merge))
      const last = waiting[waiting.length - 1]!
      onPersisted({ _tag: "Persisted", ticket: last.ticket, lastIndex: last.lastIndex })
    })

    return {
      enqueue: (persist) => {
        Queue.offerUnsafe(inbox, persist)
      },
      run: Effect.forever(writeOnce, { disableYield: true })
    }
  })

const toBatch = ({ hardState, truncateFrom, base, blocks }: Persist): WriteBatch => ({
  ...(hardState === undefined ? undefined : { hardState }),
  ...(truncateFrom === undefined ? undefined : { truncateFrom }),
  ...(base === undefined ? undefined : { base }),
  blocks
})

/**
 * Two writes as one. A truncation in the second first takes from the blocks of the first; only what it
 * takes beyond them has to be cut from the disk.
 */
export const merge = (first: WriteBatch, second: WriteBatch): WriteBatch => {
  const hardState = second.hardState ?? first.hardState
  const { truncateFrom: cut } = second
  const kept = cut === undefined ? first.blocks : first.blocks.flatMap((block) => before(block, cut))
  const reachesDisk = cut !== undefined && kept.length === 0
  const truncateFrom = reachesDisk && cut < (first.truncateFrom ?? Infinity) ? cut : first.truncateFrom
  const base = further(first.base, second.base)
  const above = base === undefined ? kept : kept.flatMap((block) => after(block, base.index))
  return {
    ...(hardState === undefined ? undefined : { hardState }),
    ...(truncateFrom === undefined ? undefined : { truncateFrom }),
    ...(base === undefined ? undefined : { base }),
    blocks: above.concat(second.blocks)
  }
}

/** A log never begins earlier than it did. */
const further = (first: LogBase | undefined, second: LogBase | undefined): LogBase | undefined =>
  first === undefined || (second !== undefined && second.index > first.index) ? second : first

const after = (block: LogEntry.EntryBlock, index: LogIndex.LogIndex): Array<LogEntry.EntryBlock> => {
  if (block.firstIndex > index) return [block]
  const last = LogEntry.lastIndex(block)
  return last <= index ? [] : [LogEntry.slice(block, LogIndex.plus(index, 1), last)]
}

const before = (block: LogEntry.EntryBlock, index: LogIndex.LogIndex): Array<LogEntry.EntryBlock> => {
  if (LogEntry.lastIndex(block) < index) return [block]
  return block.firstIndex >= index ? [] : [LogEntry.slice(block, block.firstIndex, LogIndex.plus(index, -1))]
}
