/**
 * The write-ahead log in the simulator: the shipped `FileStorage` of each node on a machine in memory that
 * forgets what was not synced, tears what was being written, and whose flushes are slow, hang or fail.
 *
 * ```ts
 * RaftTest.simulate(Counter, workload, { runs: 200, disks: SimulatedFiles.make })
 * ```
 *
 * Segments and chunks are small, so that a short run goes through many. A crash with the fate "Lost" is a
 * loss of power, which spares what the dice say of the bytes and names that were not synced; one with the
 * fate "Kept" ends the process only, and a later loss of power may still take what it left unsynced. A
 * write that fails does so with an error of the disk, or because the power goes in the middle of it. What
 * is opened again is held against what was acknowledged (`StorageWitness`).
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as FaultyDisk from "@effect-raft/core/testing/FaultyDisk"
import { Dice, hashText } from "@effect-raft/core/testing/LinkFaults"
import * as StorageWitness from "@effect-raft/core/testing/StorageWitness"
import type { StorageError, StorageIdentity } from "@effect-raft/core/RaftStorage"
import * as FileStorage from "../FileStorage.ts"
import type { FileStorageOptions } from "../FileStorage.ts"
import type { LogDirectory, LogFile, LogFileSystem } from "../LogFileSystem.ts"
import * as MemoryLogFileSystem from "../MemoryLogFileSystem.ts"
import type { RestartOptions } from "../MemoryLogFileSystem.ts"
import * as SegmentHeader from "../SegmentHeader.ts"

/** One node's computer. */
interface Machine {
  readonly dice: Dice
  readonly onEvent: (event: FaultyDisk.DiskEvent) => void
  disk: MemoryLogFileSystem.MemoryLogFileSystem
  gate: Latch.Latch
  isHanging: boolean
  /** What a flush takes when nothing makes it slower. */
  readonly flushMillis: number
  /** What it takes now, if that is more. */
  latencyMillis: number
}

/** For {@link FaultyDisk.Make}: the disks of one run. */
export const make: FaultyDisk.Make = ({ onEvent, seed }) => {
  const machines = new Map<string, Machine>()
  const options = drawOptions(seed)

  const machineOf = ({ clusterId, groupId, nodeId }: StorageIdentity): Machine => {
    const name = `${clusterId}/${groupId}/${nodeId}`
    const known = machines.get(name)
    if (known !== undefined) return known
    const machine = newMachine(`${seed}/disk/${name}`, onEvent)
    machines.set(name, machine)
    return machine
  }

  const change = (identity: StorageIdentity, f: (machine: Machine) => void) =>
    Effect.sync(() => f(machineOf(identity)))

  const witness = StorageWitness.make({
    open: (identity) =>
      Effect.suspend(() => {
        const machine = machineOf(identity)
        if (machine.disk.isPowerOff()) losePower(machine)
        return Effect.tap(FileStorage.make(filesOf(machine), options).open(identity), ({ recovered }) =>
          Effect.sync(() => recovered.notes.forEach(() => onEvent("tailsCut")))
        )
      })
  })

  return {
    storage: witness.storage,
    crash: (identity, fate = "Lost") => change(identity, (machine) => crash(machine, fate)),
    wipe: (identity) =>
      change(identity, (machine) => {
        crash(machine, "Lost")
        machine.disk = MemoryLogFileSystem.make()
        witness.forget(identity)
      }),
    setWriteLatencyMillis: (identity, millis) =>
      change(identity, (machine) => {
        machine.latencyMillis = millis
      }),
    hang: (identity) =>
      change(identity, (machine) => {
        machine.isHanging = true
        machine.gate.closeUnsafe()
      }),
    release: (identity) => change(identity, release),
    mend: (identity) =>
      change(identity, (machine) => {
        release(machine)
        machine.latencyMillis = 0
        machine.disk.mend()
      }),
    failNextWrite: (identity, fate = "Lost") => change(identity, (machine) => failSoon(machine, fate)),
    durable: (identity) =>
      Effect.sync(() => {
        const { base, blocks, committed, hardState } = witness.acknowledged(identity)
        const snapshot = witness.snapshot(identity)
        return { hardState, base, blocks: blocks.slice(), committed, snapshot, notes: [] }
      }),
    peek: witness.acknowledged,
    acknowledgedWrites: (identity) => Effect.sync(() => witness.acknowledgedWrites(identity))
  }
}

const newMachine = (seed: string, onEvent: Machine["onEvent"]): Machine => {
  const dice = new Dice()
  dice.reset(hashText(seed), 0)
  return {
    dice,
    onEvent,
    disk: MemoryLogFileSystem.make(),
    gate: Latch.makeUnsafe(true),
    isHanging: false,
    // Only what takes time can be cut short.
    flushMillis: oneOf(dice, [0, 1, 5]),
    latencyMillis: 0
  }
}

const drawOptions = (seed: string): FileStorageOptions => {
  const dice = new Dice()
  dice.reset(hashText(`${seed}/files`), 0)
  return {
    directory: "/store",
    segmentBytes: oneOf(dice, [4_096, 4_096, 8_192, 65_536]),
    snapshotChunkBytes: oneOf(dice, [64, 1_000, 65_536])
  }
}

const oneOf = <A>(dice: Dice, list: ReadonlyArray<A>): A => list[dice.within([0, list.length - 1])]!

// --- what befalls a machine -----------------------------------------------------------------------

const crash = (machine: Machine, fate: FaultyDisk.Fate): void => {
  if (fate === "Kept") machine.disk.kill()
  else losePower(machine)
  // Who waits for a flush goes on, and finds that nothing works any more.
  const waiting = machine.gate
  machine.gate = Latch.makeUnsafe(!machine.isHanging)
  waiting.openUnsafe()
}

const losePower = ({ dice, disk, onEvent }: Machine): void => {
  const unsyncedBytes = disk.unsyncedBytes()
  const bytes = drawLeftBytes(dice, unsyncedBytes)
  const isTorn = "sectors" in bytes || (bytes.firstBytes > 0 && bytes.firstBytes < unsyncedBytes)
  if (unsyncedBytes > 0 && isTorn) onEvent("tornWrites")
  disk.restart({ bytes, names: drawLeftNames(dice) })
}

/** Of the bytes that were not synced: none, the first so many, or a chance set of sectors. */
const drawLeftBytes = (dice: Dice, unsyncedBytes: number): RestartOptions["bytes"] => {
  const salt = dice.next()
  const firstBytes = dice.within([0, oneOf(dice, [100, 700, unsyncedBytes])])
  const torn = { firstBytes: Math.min(firstBytes, unsyncedBytes) }
  return oneOf(dice, [
    { firstBytes: 0 },
    torn,
    torn,
    { sectors: (sector) => isSpared(salt, `sector ${sector}`) }
  ])
}

const drawLeftNames = (dice: Dice): RestartOptions["names"] => {
  const salt = dice.next()
  return oneOf(dice, ["Lost", "Kept", (name: string) => isSpared(salt, name)])
}

const isSpared = (salt: number, what: string): boolean => hashText(`${salt}/${what}`) % 2 === 0

const release = (machine: Machine): void => {
  machine.isHanging = false
  machine.gate.openUnsafe()
}

/** Operations that a failure lets pass, so that it meets each kind of them now and then. */
const operationsAhead = [0, 6] as const

/**
 * One of the next operations reports an error; or the power goes in the middle of it, and the node finds
 * nothing working until it is started again. What becomes of the bytes is for the loss of power to say.
 */
const failSoon = ({ dice, disk, onEvent }: Machine, fate: FaultyDisk.Fate): void => {
  const operations = dice.within(operationsAhead)
  if (fate === "Lost") return disk.powerOffAfter(operations)
  disk.failAfter(operations, oneOf(dice, ["EIO", "ENOSPC"]), (operation) =>
    onEvent(operation === "flush" ? "failedFlushes" : "failedWrites")
  )
}

// --- the files, slow and watched ------------------------------------------------------------------

const filesOf = (machine: Machine): LogFileSystem["Service"] => ({
  ...machine.disk.files,
  openDirectory: (path) =>
    Effect.map(machine.disk.files.openDirectory(path), (directory) => toSlowDirectory(machine, directory))
})

const toSlowDirectory = (machine: Machine, directory: LogDirectory): LogDirectory => ({
  ...directory,
  create: (name, bytes) => Effect.map(directory.create(name, bytes), (file) => toSlowFile(machine, file)),
  open: (name) => Effect.map(directory.open(name), (file) => toSlowFile(machine, file)),
  rename: (from, to) =>
    Effect.tap(directory.rename(from, to), () =>
      Effect.sync(() => {
        if ((SegmentHeader.numberOf(to) ?? 1) > 1) machine.onEvent("segmentsRolled")
        if (SegmentHeader.numberOf(from) !== undefined) machine.onEvent("segmentsRemoved")
        if (from.endsWith(SegmentHeader.retiredSuffix)) machine.onEvent("segmentsReused")
      })
    ),
  remove: (name) =>
    Effect.tap(directory.remove(name), () =>
      Effect.sync(() => {
        if (SegmentHeader.numberOf(name) !== undefined) machine.onEvent("segmentsRemoved")
      })
    ),
  sync: slowly(machine, directory.sync)
})

const toSlowFile = (machine: Machine, file: LogFile): LogFile => ({
  ...file,
  sync: slowly(machine, file.sync)
})

/** It is the flush that takes its time; until it has ended, what it flushes is as good as lost. */
const slowly = (machine: Machine, flush: Effect.Effect<void, StorageError>) =>
  Effect.suspend(() =>
    machine.isHanging || flushMillisOf(machine) > 0
      ? machine.gate.await.pipe(
          Effect.andThen(Effect.suspend(() => Effect.sleep(flushMillisOf(machine)))),
          Effect.andThen(flush)
        )
      : flush
  )

const flushMillisOf = ({ flushMillis, latencyMillis }: Machine): number =>
  Math.max(flushMillis, latencyMillis)
