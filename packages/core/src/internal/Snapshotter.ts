/**
 * The fiber that writes the machine's own snapshots to disk (paper, section 7: each server takes its own).
 *
 * The applier asks for a snapshot right after the entry that it is to cover; what the machine gives is a
 * cheap view that later commands do not change. Writing it goes on beside everything else. While one is
 * being written no other is begun.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { SnapshotTaken } from "../consensus/Event.ts"
import * as RaftLog from "../consensus/RaftLog.ts"
import * as LogIndex from "../LogIndex.ts"
import type { Membership } from "../Membership.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import type { SnapshotStore, StorageError } from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"

/** The machine right after it has applied `index`. */
export interface Moment {
  readonly log: RaftLog.RaftLog
  readonly index: LogIndex.LogIndex
  /** Takes the machine's view of this very moment. */
  readonly snapshot: () => Iterable<Uint8Array>
}

interface Taken {
  readonly meta: SnapshotMeta
  readonly pieces: Iterable<Uint8Array>
}

export interface Snapshotter {
  /** Takes a snapshot of this moment if it is time for one and none is being written. */
  readonly consider: (moment: Moment) => void
  /** A leader's snapshot was installed: the next own one is counted from there. */
  readonly startAfter: (index: LogIndex.LogIndex) => void
  /** Writes for ever; fails with the disk. */
  readonly run: Effect.Effect<never, StorageError>
}

export const make = (options: {
  readonly config: RaftConfig
  readonly store: SnapshotStore
  /** The last index that a snapshot on disk covers. */
  readonly lastIndex: LogIndex.LogIndex
  /** The membership that was in force at an index. */
  readonly membershipAt: (index: LogIndex.LogIndex) => Membership
  /** A name that no other snapshot has. */
  readonly makeId: (index: LogIndex.LogIndex) => string
  readonly onTaken: (event: SnapshotTaken) => void
}): Effect.Effect<Snapshotter> =>
  Effect.gen(function* () {
    const { config, store } = options
    const inbox = yield* Queue.dropping<Taken>(1)
    let lastIndex = options.lastIndex
    let isBusy = false

    const isDue = ({ log, index }: Moment): boolean =>
      index - lastIndex >= config.snapshotEveryEntries ||
      RaftLog.bytesBetween(log, LogIndex.plus(lastIndex, 1), index) >= config.snapshotEveryBytes

    const write = ({ meta, pieces }: Taken) =>
      Effect.gen(function* () {
        const writer = yield* store.writer({ meta, purpose: "Take" })
        for (const piece of pieces) {
          yield* writer.write(piece)
          // A piece at a time: a large state must not hold up the event loop.
          yield* Effect.yieldNow
        }
        yield* writer.commit
        options.onTaken({ _tag: "SnapshotTaken", snapshot: meta })
      }).pipe(
        Effect.scoped,
        Effect.ensuring(
          Effect.sync(() => {
            isBusy = false
          })
        )
      )

    return {
      consider: (moment) => {
        if (isBusy || !isDue(moment)) return
        const { log, index } = moment
        // The entry has gone meanwhile: a leader's snapshot is about to take the place of all this.
        if (index <= log.base.index) return
        const { term, timestampMillis } = RaftLog.entryAt(log, index)
        const meta = {
          id: options.makeId(index),
          lastIndex: index,
          lastTerm: term,
          lastTimestampMillis: timestampMillis,
          membership: options.membershipAt(index)
        }
        isBusy = Queue.offerUnsafe(inbox, { meta, pieces: moment.snapshot() })
        lastIndex = index
      },
      startAfter: (index) => {
        lastIndex = LogIndex.max(lastIndex, index)
      },
      run: Effect.forever(Effect.flatMap(Queue.take(inbox), write), { disableYield: true })
    }
  })
