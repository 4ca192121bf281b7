/**
 * The fiber that writes to the disk.
 *
 * The actor hands over what must become durable and goes on; while one write is under way all that
 * arrives waits, and goes into the next write together (group commit). After each write the actor learns
 * up to which ticket it may believe. A failed write ends the node; it is never tried again. A store that needs
 * no disk is written within the turn.
 */
import * as Effect from "effect/Effect"
import type { Persist } from "../consensus/Action.ts"
import type { Persisted } from "../consensus/Event.ts"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { LogBase, LogStore, StorageError, WriteBatch } from "../RaftStorage.ts"
import * as Doorbell from "./Doorbell.ts"

export interface LogWriter {
  /**
   * Takes writes, in order. Begins at once where none is under way, and never waits; what can pile up is
   * bounded by what the leader may have uncommitted.
   */
  readonly enqueue: (persists: ReadonlyArray<Persist>) => void
  /** Writes before it returns, and says so; `undefined` where that is not possible, and nothing was done. */
  readonly writeNow: (persists: ReadonlyArray<Persist>) => Persisted | undefined
  /** Writes for ever; fails with the disk. */
  readonly run: Effect.Effect<never, StorageError>
}

export const make = (
  store: Pick<LogStore, "write" | "writeNow">,
  onPersisted: (event: Persisted) => void
): Effect.Effect<LogWriter> =>
  Effect.gen(function* () {
    let inbox: Array<Persist> = []
    let isWriting = false

    const writeAll = (): Effect.Effect<void, StorageError> | undefined => {
      const waiting = inbox
      const last = waiting.at(-1)
      if (last === undefined) return undefined
      inbox = []
      isWriting = true
      return Effect.map(store.write(asOne(waiting)), () => {
        isWriting = false
        onPersisted(persistedWith(last))
      })
    }

    const doorbell = yield* Doorbell.make(writeAll)
    return {
      enqueue: (persists) => {
        if (persists.length === 0) return
        for (const persist of persists) inbox.push(persist)
        doorbell.knock()
      },
      writeNow: (persists) => {
        const last = persists.at(-1)
        if (store.writeNow === undefined || last === undefined || isWriting || inbox.length > 0)
          return undefined
        return store.writeNow(asOne(persists)) ? persistedWith(last) : undefined
      },
      run: doorbell.attend
    }
  })

const persistedWith = ({ ticket, lastIndex }: Persist): Persisted => ({
  _tag: "Persisted",
  ticket,
  lastIndex
})

/** A `Persist` holds all that a batch does. */
const asOne = (batches: ReadonlyArray<WriteBatch>): WriteBatch => batches.reduce(merge)

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
  const committed = later(first.committed, second.committed)
  const above = base === undefined ? kept : kept.flatMap((block) => after(block, base.index))
  return {
    ...(hardState === undefined ? undefined : { hardState }),
    ...(truncateFrom === undefined ? undefined : { truncateFrom }),
    ...(base === undefined ? undefined : { base }),
    ...(committed === undefined ? undefined : { committed }),
    blocks: above.concat(second.blocks)
  }
}

/** A log never begins earlier than it did. */
const further = (first: LogBase | undefined, second: LogBase | undefined): LogBase | undefined =>
  first === undefined || (second !== undefined && second.index > first.index) ? second : first

/** What is committed stays so. */
const later = (
  first: LogIndex.LogIndex | undefined,
  second: LogIndex.LogIndex | undefined
): LogIndex.LogIndex | undefined =>
  first === undefined || second === undefined ? (second ?? first) : LogIndex.max(first, second)

const after = (block: LogEntry.EntryBlock, index: LogIndex.LogIndex): Array<LogEntry.EntryBlock> => {
  if (block.firstIndex > index) return [block]
  const last = LogEntry.lastIndex(block)
  return last <= index ? [] : [LogEntry.slice(block, LogIndex.plus(index, 1), last)]
}

const before = (block: LogEntry.EntryBlock, index: LogIndex.LogIndex): Array<LogEntry.EntryBlock> => {
  if (LogEntry.lastIndex(block) < index) return [block]
  return block.firstIndex >= index ? [] : [LogEntry.slice(block, block.firstIndex, LogIndex.plus(index, -1))]
}
