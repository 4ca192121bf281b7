/**
 * Gives the machine its state from a snapshot, piece by piece: a large one must not hold up the event loop, nor
 * be in memory a second time.
 *
 * A leader's pieces are taken in while they arrive on their way to the disk. When the snapshot is whole and
 * durable, and only then, what they made takes the place of the machine's state. Otherwise the newest snapshot
 * is read from the disk: at a start, or when the transfer went on with what an earlier one had left there.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as LogIndex from "../LogIndex.ts"
import { MachineFailure, ProgramTooOld } from "../RaftError.ts"
import type { SnapshotReader, SnapshotStore, StorageError } from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { Restoration } from "../StateMachine.ts"
import type { Replica } from "./Replica.ts"

/** A part of a leader's snapshot. Each begins where the one before it ended. */
export interface Arrival {
  readonly snapshot: SnapshotMeta
  readonly offset: number
  readonly data: Uint8Array
}

export interface Restorer {
  /** A part of a leader's snapshot has arrived. It is not known yet whether the rest will. */
  readonly arrive: (arrival: Arrival) => void
  /** Makes the newest snapshot on disk, which reaches to `index` at least, the machine's state. */
  readonly restore: (
    index: LogIndex.LogIndex
  ) => Effect.Effect<Restored, MachineFailure | ProgramTooOld | StorageError>
  /** Everything up to `index` is applied: a snapshot that reaches no further is not needed any more. */
  readonly forget: (index: LogIndex.LogIndex) => void
}

export interface Restored {
  readonly meta: SnapshotMeta
  readonly sizeBytes: number
}

/** What the machine will be once all of a snapshot is there. */
interface Prepared {
  readonly meta: SnapshotMeta
  readonly restoration: Restoration
  /** How much of the snapshot it has. */
  bytes: number
}

/** Bytes read from a snapshot at a time. */
const readBytes = 512 * 1024

export const make = <View>(replica: Replica<View>, snapshots: SnapshotStore): Restorer => {
  let arriving: Prepared | undefined

  const prepare = (meta: SnapshotMeta): Prepared => ({ meta, restoration: replica.restore(meta), bytes: 0 })

  const take = ({ data, offset, snapshot }: Arrival): Prepared | undefined => {
    const isNext = arriving?.meta.id === snapshot.id && arriving.bytes === offset
    const prepared = isNext ? arriving : offset === 0 ? prepare(snapshot) : undefined
    if (prepared !== undefined) add(prepared, data)
    return prepared
  }

  const read = Effect.fnUntraced(function* (reader: SnapshotReader) {
    const { meta, sizeBytes } = reader
    const prepared = yield* attempt(meta, () => prepare(meta))
    while (prepared.bytes < sizeBytes) {
      const piece = yield* reader.read(prepared.bytes, readBytes)
      yield* attempt(meta, () => add(prepared, piece))
      if (prepared.bytes < sizeBytes) yield* Effect.yieldNow
    }
    return prepared
  })

  const restore = Effect.fnUntraced(function* (index: LogIndex.LogIndex) {
    const reader = yield* snapshots.reader
    if (reader === undefined || reader.meta.lastIndex < index) {
      return yield* new MachineFailure({ index, detail: "its snapshot is gone" })
    }
    const { meta, sizeBytes } = reader
    const hasArrived = arriving?.meta.id === meta.id && arriving.bytes === sizeBytes
    const arrived = hasArrived ? arriving : undefined
    arriving = undefined
    const prepared = arrived ?? (yield* read(reader))
    yield* attempt(meta, () => prepared.restoration.finish())
    return { meta, sizeBytes } satisfies Restored
  }, Effect.scoped)

  return {
    arrive: (arrival) => {
      try {
        arriving = take(arrival)
      } catch {
        // It stays a snapshot like any other: should it be installed, it is read from the disk, and what is
        // wrong is said.
        arriving = undefined
      }
    },
    restore,
    forget: (index) => {
      if (arriving !== undefined && arriving.meta.lastIndex <= index) arriving = undefined
    }
  }
}

const add = (prepared: Prepared, piece: Uint8Array): void => {
  prepared.restoration.add(piece)
  prepared.bytes += piece.byteLength
}

const attempt = <A>({ lastIndex }: SnapshotMeta, use: () => A) =>
  Effect.try({ try: use, catch: (cause) => failure(lastIndex, cause) })

/** What a machine that threw at `index` has done to its node. */
export const failure = (index: LogIndex.LogIndex, cause: unknown): MachineFailure | ProgramTooOld =>
  cause instanceof ProgramTooOld
    ? cause
    : new MachineFailure({
        index,
        detail: cause instanceof Error ? cause.message : Cause.pretty(Cause.die(cause))
      })
