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
import type { RaftConfig } from "../RaftConfig.ts"
import type { SnapshotStore, StorageError } from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { ReplicaSnapshot } from "./Replica.ts"
import type { Term } from "../Term.ts"

/**
 * How many bytes of log gather until a snapshot is taken. While it is six times as many as the snapshot has, snapshots
 * make the disk write a sixth more; but a log that is long takes memory, and time when a node starts. So beyond eight
 * times `snapshotAtLeastBytes` it is twice as many: half as much again to write, and no more log than the state is
 * worth.
 */
const bytesUntilDue = (config: RaftConfig, snapshotBytes: number): number => {
  const { snapshotAtLeastBytes: least, snapshotEveryBytes: most } = config
  return Math.min(most, Math.max(least, Math.min(6 * snapshotBytes, 8 * least), 2 * snapshotBytes))
}

/** What an entry leaves behind when its command is applied: where it stood, and the leader's clock in it. */
export interface Place {
  readonly index: LogIndex.LogIndex
  readonly term: Term
  readonly timestampMillis: number
}

/** The machine right after it has applied the entry at `place`. */
export interface Moment {
  readonly log: RaftLog.RaftLog
  readonly place: Place
  /** Takes a view of this very moment. */
  readonly snapshot: () => ReplicaSnapshot
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
  /** The machine has its state from a snapshot of this size. */
  readonly restored: (snapshotBytes: number) => void
  /** Writes for ever; fails with the disk. */
  readonly run: Effect.Effect<never, StorageError>
}

export const make = (options: {
  readonly config: RaftConfig
  readonly store: SnapshotStore
  /** The last index that a snapshot on disk covers. */
  readonly lastIndex: LogIndex.LogIndex
  /** What a snapshot of the present moment stands for. */
  readonly describe: (place: Place, snapshot: ReplicaSnapshot) => SnapshotMeta
  readonly onTaken: (event: SnapshotTaken) => void
}): Effect.Effect<Snapshotter> =>
  Effect.gen(function* () {
    const { config, store } = options
    const inbox = yield* Queue.dropping<Taken>(1)
    let lastIndex = options.lastIndex
    /** The size of the newest snapshot. */
    let snapshotBytes = 0
    let isBusy = false

    const isDue = ({ log, place: { index } }: Moment): boolean =>
      index - lastIndex >= config.snapshotEveryEntries ||
      RaftLog.bytesBetween(log, LogIndex.plus(lastIndex, 1), index) >= bytesUntilDue(config, snapshotBytes)

    const write = ({ meta, pieces }: Taken) =>
      Effect.gen(function* () {
        const writer = yield* store.writer({ meta, purpose: "Take" })
        let written = 0
        for (const piece of pieces) {
          yield* writer.write(piece)
          written += piece.byteLength
          // A piece at a time: a large state must not hold up the event loop.
          yield* Effect.yieldNow
        }
        yield* writer.commit
        snapshotBytes = written
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
        const { log, place } = moment
        // The entry has gone meanwhile: a leader's snapshot is about to take the place of all this.
        if (place.index <= log.base.index) return
        const snapshot = moment.snapshot()
        const taken = { meta: options.describe(place, snapshot), pieces: snapshot.pieces }
        isBusy = Queue.offerUnsafe(inbox, taken)
        lastIndex = place.index
      },
      startAfter: (index) => {
        lastIndex = LogIndex.max(lastIndex, index)
      },
      restored: (bytes) => {
        snapshotBytes = bytes
      },
      run: Effect.forever(Effect.flatMap(Queue.take(inbox), write), { disableYield: true })
    }
  })
