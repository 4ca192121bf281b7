/**
 * Disks in memory for tests: they forget what was not acknowledged, hang, fail and slow down on demand.
 *
 * One `MemoryDisk` holds the stores of many nodes, by identity, and outlives the nodes, so that a test
 * can stop a node, crash its machine and start it again on what was left. It counts no real time: a slow
 * write sleeps on the `Clock`. It draws no random number: what becomes of a write in flight at a crash
 * is the caller's choice.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as MemorySnapshots from "../MemorySnapshots.ts"
import * as RaftStorage from "../RaftStorage.ts"
import type { RecoveredState, StorageIdentity, WriteBatch } from "../RaftStorage.ts"
import type { Fate, FaultyDisk } from "./FaultyDisk.ts"

export class MemoryDisk extends Context.Service<MemoryDisk, FaultyDisk>()(
  "@effect-raft/core/testing/MemoryDisk"
) {}

/** One opening of a disk. Once it has ended, its writes fail with the reason. */
interface Session {
  ended: RaftStorage.IoFailed | undefined
}

/** A change that was written, but not acknowledged. */
interface InFlight {
  readonly kind: "Batch" | "Snapshot"
  readonly change: () => void
}

interface Disk {
  readonly location: string
  state: RaftStorage.StoredState
  shelf: MemorySnapshots.Shelf
  session: Session | undefined
  /** In the order in which they were written. */
  readonly inFlight: Set<InFlight>
  gate: Latch.Latch
  isHanging: boolean
  latencyMillis: number
  nextFailure: Fate | undefined
  acknowledged: number
}

const newDisk = (location: string): Disk => ({
  location,
  state: RaftStorage.emptyState(),
  shelf: MemorySnapshots.emptyShelf(),
  session: undefined,
  inFlight: new Set(),
  gate: Latch.makeUnsafe(true),
  isHanging: false,
  latencyMillis: 0,
  nextFailure: undefined,
  acknowledged: 0
})

/** Empty disks for as many nodes as will ask. */
export const make = (): MemoryDisk["Service"] => {
  const disks = new Map<string, Disk>()
  /** For those who come again and again with the same object. */
  const byIdentity = new WeakMap<StorageIdentity, Disk>()

  const diskOf = (identity: StorageIdentity): Disk => {
    let disk = byIdentity.get(identity)
    if (disk === undefined) byIdentity.set(identity, (disk = diskNamed(identity)))
    return disk
  }

  const diskNamed = ({ clusterId, groupId, nodeId }: StorageIdentity): Disk => {
    const location = `disk:${clusterId}/${groupId}/${nodeId}`
    const known = disks.get(location)
    if (known !== undefined) return known
    const disk = newDisk(location)
    disks.set(location, disk)
    return disk
  }

  const change = (identity: StorageIdentity, f: (disk: Disk) => void) =>
    Effect.sync(() => f(diskOf(identity)))

  return MemoryDisk.of({
    storage: { open: (identity) => Effect.suspend(() => open(diskOf(identity))) },
    crash: (identity, fate = "Lost") => change(identity, (disk) => crash(disk, fate)),
    wipe: (identity) =>
      change(identity, (disk) => {
        crash(disk, "Lost")
        disk.state = RaftStorage.emptyState()
        disk.shelf = MemorySnapshots.emptyShelf()
      }),
    setWriteLatencyMillis: (identity, millis) =>
      change(identity, (disk) => {
        disk.latencyMillis = millis
      }),
    hang: (identity) =>
      change(identity, (disk) => {
        disk.isHanging = true
        disk.gate.closeUnsafe()
      }),
    release: (identity) => change(identity, release),
    mend: (identity) =>
      change(identity, (disk) => {
        release(disk)
        disk.latencyMillis = 0
        disk.nextFailure = undefined
      }),
    failNextWrite: (identity, fate = "Lost") =>
      change(identity, (disk) => {
        disk.nextFailure = fate
      }),
    peek: (identity) => diskOf(identity).state,
    durable: (identity) => Effect.sync(() => contents(diskOf(identity))),
    acknowledgedWrites: (identity) => Effect.sync(() => diskOf(identity).acknowledged)
  })
}

const contents = ({ shelf, state }: Disk): RecoveredState => ({
  hardState: state.hardState,
  base: state.base,
  blocks: state.blocks.slice(),
  committed: state.committed,
  snapshot: shelf.newest?.meta,
  notes: []
})

const open = (disk: Disk) => Effect.map(Effect.acquireRelease(lock(disk), unlock(disk)), toLogStore(disk))

/** A process that died without a crash of its machine leaves its last writes with the kernel: they are kept. */
const lock = (disk: Disk) =>
  Effect.suspend(() => {
    if (disk.session !== undefined) {
      return fail(
        new RaftStorage.StoreLocked({ location: disk.location, owner: "another node of this test" })
      )
    }
    settleAll(disk, "Kept")
    disk.session = { ended: undefined }
    return Effect.succeed(disk.session)
  })

const unlock = (disk: Disk) => (session: Session) =>
  Effect.sync(() => {
    endSession(disk, session, "the store is closed")
  })

const endSession = (disk: Disk, session: Session, detail: string): void => {
  session.ended ??= writeFailed(disk, detail)
  if (disk.session === session) disk.session = undefined
}

const crash = (disk: Disk, fate: Fate): void => {
  settleAll(disk, fate)
  if (fate === "Lost") disk.shelf.parts.clear()
  if (disk.session !== undefined) endSession(disk, disk.session, "the machine lost its power")
  const waiting = disk.gate
  disk.gate = Latch.makeUnsafe(!disk.isHanging)
  waiting.openUnsafe()
}

const release = (disk: Disk): void => {
  disk.isHanging = false
  disk.gate.openUnsafe()
}

const settleAll = (disk: Disk, fate: Fate): void => {
  for (const written of disk.inFlight) settle(disk, written, fate)
}

const settle = (disk: Disk, written: InFlight, fate: Fate): void => {
  disk.inFlight.delete(written)
  if (fate === "Kept") written.change()
}

const toLogStore =
  (disk: Disk) =>
  (session: Session): RaftStorage.LogStore => ({
    recovered: contents(disk),
    write: (batch) =>
      Effect.suspend(() => {
        if (session.ended !== undefined) return fail(session.ended)
        const problem = problemOf(disk, batch)
        if (problem !== undefined) return Effect.die(new Error(`Batch refused: ${problem}`))
        return persist(disk, session, {
          kind: "Batch",
          change: () => RaftStorage.absorb(disk.state, batch)
        })
      }),
    writeNow: (batch) => {
      // What is to go wrong, or to take its time, does so in `write`.
      if (session.ended !== undefined || !isPrompt(disk) || disk.nextFailure !== undefined) return false
      const problem = problemOf(disk, batch)
      if (problem !== undefined) throw new Error(`Batch refused: ${problem}`)
      RaftStorage.absorb(disk.state, batch)
      disk.acknowledged++
      return true
    },
    snapshots: MemorySnapshots.open(disk.shelf, {
      expectOpen: Effect.suspend(() => (session.ended === undefined ? Effect.void : fail(session.ended))),
      persist: (change) => Effect.suspend(() => persist(disk, session, { kind: "Snapshot", change }))
    })
  })

const problemOf = (disk: Disk, batch: WriteBatch): string | undefined => {
  for (const { kind } of disk.inFlight) {
    if (kind === "Batch") return "the one before it is still being written"
  }
  return (
    RaftStorage.misfit(RaftStorage.extentOf(disk.state), batch) ??
    RaftStorage.uncovered(batch, disk.shelf.newest?.meta)
  )
}

const isPrompt = (disk: Disk): boolean => !disk.isHanging && disk.latencyMillis === 0

const persist = (disk: Disk, session: Session, written: InFlight) => {
  disk.inFlight.add(written)
  return isPrompt(disk) ? finish(disk, session, written) : finishLater(disk, session, written)
}

const finishLater = (disk: Disk, session: Session, written: InFlight) =>
  disk.gate.await.pipe(
    Effect.andThen(Effect.suspend(() => Effect.sleep(disk.latencyMillis))),
    Effect.andThen(Effect.suspend(() => finish(disk, session, written))),
    Effect.onInterrupt(() =>
      Effect.sync(() => {
        if (written.kind === "Snapshot") return
        session.ended ??= writeFailed(
          disk,
          "an earlier write was interrupted, and nobody knows what became of it"
        )
      })
    )
  )

const finish = (disk: Disk, session: Session, written: InFlight) => {
  if (session.ended !== undefined) return fail(session.ended)
  const fate = disk.nextFailure
  disk.nextFailure = undefined
  settle(disk, written, fate ?? "Kept")
  if (fate === undefined) {
    if (written.kind === "Batch") disk.acknowledged++
    return Effect.void
  }
  const failure = writeFailed(disk, "the disk reports an error, as the test asked")
  if (written.kind === "Batch") session.ended = failure
  return fail(failure)
}

const writeFailed = (disk: Disk, detail: string) =>
  new RaftStorage.IoFailed({ operation: "write", location: disk.location, detail })

const fail = (reason: RaftStorage.StorageError["reason"]) =>
  Effect.fail(new RaftStorage.StorageError({ reason }))

/** The disks, and the port of the nodes to them. */
export const layer: Layer.Layer<MemoryDisk | RaftStorage.RaftStorage> = Layer.effectContext(
  Effect.sync(() => {
    const disk = make()
    return Context.make(MemoryDisk, disk).pipe(Context.add(RaftStorage.RaftStorage, disk.storage))
  })
)
