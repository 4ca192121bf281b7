/**
 * The fiber that applies committed entries to the state machine, in order, and answers those who wait
 * for them (paper, section 5.3: "when the entry has been safely replicated, the leader applies the entry").
 *
 * A snapshot takes the place of entries: at the start, and when a leader's was installed, the machine is
 * restored from the newest one on disk. It works in bounded portions, and lets others run in between, so
 * that a slow machine delays neither heartbeats nor votes. Waiting callers are answered after the portion
 * they were in, because answering runs their code.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as RaftLog from "../consensus/RaftLog.ts"
import * as LogEntry from "../LogEntry.ts"
import * as LogIndex from "../LogIndex.ts"
import type { MachineFailure, ProgramTooOld } from "../RaftError.ts"
import type { SnapshotStore, StorageError } from "../RaftStorage.ts"
import type { RaftTracer } from "../RaftTrace.ts"
import type { StateMachine } from "../StateMachine.ts"
import * as Term from "../Term.ts"
import * as Replica from "./Replica.ts"
import * as Restorer from "./Restorer.ts"
import * as Doorbell from "./Doorbell.ts"
import type { Position, ProposalSlot, ReplySlots } from "./ReplySlots.ts"
import type { Moment, Place } from "./Snapshotter.ts"

/** Entries applied before other fibers get their turn. */
const portion = 512

export interface Applier<View> {
  /**
   * The commit index moved to `commitIndex` in `log`. The first portion is applied, and its callers are
   * answered, before this returns.
   */
  readonly advance: (log: RaftLog.RaftLog, commitIndex: LogIndex.LogIndex) => void
  /** Takes in a part of a leader's snapshot, for the case that all of it is installed. */
  readonly arrive: Restorer.Restorer["arrive"]
  /** The newest snapshot on disk, which ends at `index`, takes the place of the machine's state. */
  readonly restore: (index: LogIndex.LogIndex) => void
  readonly appliedIndex: () => LogIndex.LogIndex
  readonly view: () => View
  /** The machine's version in force. */
  readonly version: () => number
  /** The machine as it is now. */
  readonly moment: () => Moment
  /** Runs `resume` as soon as `index` is applied: at once where it is. */
  readonly whenApplied: (index: LogIndex.LogIndex, resume: () => void) => void
  /** Waits until more than `index` is applied, and gives the log in which that is. */
  readonly appliedBeyond: (index: LogIndex.LogIndex) => Effect.Effect<RaftLog.RaftLog>
  readonly run: Effect.Effect<never, MachineFailure | ProgramTooOld | StorageError>
}

export const make = <Command, Reply, View>(options: {
  readonly machine: StateMachine<Command, Reply, View>
  readonly slots: ReplySlots
  readonly tracer: RaftTracer
  readonly snapshots: SnapshotStore
  /** Told after each portion. */
  readonly onPortion: (moment: Moment) => void
  /** Told when the machine has its state from a snapshot of this size. */
  readonly onRestored: (snapshotBytes: number) => void
}): Effect.Effect<Applier<View>> =>
  Effect.gen(function* () {
    const { machine, slots, tracer } = options
    const replica = Replica.make(machine)
    const restorer = Restorer.make(replica, options.snapshots)
    let log = RaftLog.empty()
    let committed = LogIndex.zero
    let applied = LogIndex.zero
    let place: Place = { index: LogIndex.zero, term: Term.zero, timestampMillis: 0 }
    let readers: Array<{ readonly index: LogIndex.LogIndex; readonly resume: () => void }> = []
    /** Opens when more is applied. Made for the first who waits: mostly nobody does. */
    let moved: Latch.Latch | undefined
    /** A snapshot that reaches further than what is applied waits to be restored. */
    let restoreTo = LogIndex.zero

    const applyPortion = (): void => {
      const last = LogIndex.min(committed, LogIndex.plus(applied, portion))
      const answers: Array<Answer> = []
      try {
        for (const block of RaftLog.blocksBetween(log, LogIndex.plus(applied, 1), last)) {
          const blockEnd = LogEntry.lastIndex(block)
          for (let index = block.firstIndex; index <= blockEnd; index = LogIndex.plus(index, 1)) {
            const entry = LogEntry.entryAt(block, index)
            const reply = applyEntry(replica, entry, slots, answers)
            applied = entry.index
            place = entry
            tracer.onApplied?.(entry, reply)
          }
        }
      } finally {
        // Also for those that were applied before the machine failed.
        for (const { slot, position, reply } of answers) slot.onApplied(position, reply)
      }
    }

    const moment = (): Moment => ({ log, place, snapshot: replica.snapshot })

    const release = (): void => {
      if (readers.length > 0) {
        const ready = readers.filter((reader) => reader.index <= applied)
        readers = readers.filter((reader) => reader.index > applied)
        for (const reader of ready) reader.resume()
      }
      const gate = moved
      moved = undefined
      gate?.openUnsafe()
    }

    const restoreNewest = Effect.suspend(() =>
      Effect.map(restorer.restore(restoreTo), ({ meta, sizeBytes }) => {
        const { lastIndex, lastTerm, lastTimestampMillis } = meta
        applied = lastIndex
        place = { index: lastIndex, term: lastTerm, timestampMillis: lastTimestampMillis }
        tracer.onRestored?.(lastIndex)
        options.onRestored(sizeBytes)
        slots.failUpTo(lastIndex)
        release()
      })
    )

    const work = (): Effect.Effect<void, MachineFailure | ProgramTooOld | StorageError> | undefined => {
      if (applied < restoreTo) return restoreNewest
      if (applied >= committed) return undefined
      try {
        applyPortion()
      } catch (cause) {
        return Effect.fail(Restorer.failure(LogIndex.plus(applied, 1), cause))
      }
      restorer.forget(applied)
      options.onPortion(moment())
      release()
      return applied < committed ? Effect.yieldNow : undefined
    }
    const doorbell = yield* Doorbell.make(work)

    const appliedBeyond = (index: LogIndex.LogIndex): Effect.Effect<RaftLog.RaftLog> =>
      Effect.suspend(() =>
        applied > index ? Effect.succeed(log) : Effect.flatMap(nextMove(), () => appliedBeyond(index))
      )

    const nextMove = (): Effect.Effect<void> => {
      moved ??= Latch.makeUnsafe(false)
      return Latch.await(moved)
    }

    return {
      advance: (next, commitIndex) => {
        log = next
        if (commitIndex <= committed) return
        committed = commitIndex
        doorbell.knock()
      },
      arrive: restorer.arrive,
      restore: (index) => {
        restoreTo = LogIndex.max(restoreTo, index)
        doorbell.knock()
      },
      appliedIndex: () => applied,
      view: replica.view,
      version: replica.version,
      moment,
      whenApplied: (index, resume) => {
        if (applied >= index) return resume()
        readers.push({ index, resume })
      },
      appliedBeyond,
      run: doorbell.attend
    }
  })

/** What a caller is told, once the portion is applied. */
interface Answer {
  readonly slot: ProposalSlot
  readonly position: Position
  readonly reply: unknown
}

const applyEntry = <View>(
  replica: Replica.Replica<View>,
  entry: LogEntry.LogEntry,
  slots: ReplySlots,
  answers: Array<Answer>
): unknown => {
  const reply = replica.apply(entry)
  // For every kind: another leader's no-op may stand where somebody waits for a command.
  const slot = slots.take(entry)
  if (slot !== undefined) answers.push({ slot, position: entry, reply })
  return reply
}
