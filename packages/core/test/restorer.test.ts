/**
 * How a machine gets its state from a snapshot: from a leader's pieces as they arrive, if it had all of them, and
 * from the disk otherwise; and never before the snapshot is on disk.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Replica from "../src/internal/Replica.ts"
import * as Restorer from "../src/internal/Restorer.ts"
import type { SnapshotStore } from "../src/RaftStorage.ts"
import type { SnapshotMeta } from "../src/Snapshot.ts"
import * as StateMachineContract from "../src/testing/StateMachineContract.ts"
import { Journal } from "./cluster/Journal.ts"
import * as Build from "./rules/Build.ts"
import { index } from "./rules/Harness.ts"

/** What a machine gives that has applied these. */
const journal = (...commands: ReadonlyArray<string>): Uint8Array => {
  const machine = Journal.machine.make()
  for (const [position, command] of commands.entries())
    machine.apply(command, StateMachineContract.metaAt(position))
  return Uint8Array.from(Array.from(machine.snapshot()).flatMap((piece) => Array.from(piece)))
}

const snapshotAt = (lastIndex: number, id: string): SnapshotMeta => ({
  ...Build.snapshot({ index: lastIndex, term: 1 }),
  id
})

/** A restorer, and a disk on which somebody else puts snapshots; it counts the bytes that are read. */
const setUp = () => {
  const replica = Replica.make(Journal.machine)
  const disk = { snapshot: undefined as { meta: SnapshotMeta; bytes: Uint8Array } | undefined, readBytes: 0 }
  const snapshots: SnapshotStore = {
    writer: () => Effect.die(new Error("nobody writes here")),
    reader: Effect.sync(() => {
      const { snapshot } = disk
      if (snapshot === undefined) return undefined
      const { bytes, meta } = snapshot
      return {
        meta,
        sizeBytes: bytes.byteLength,
        read: (offset, maxBytes) => {
          const data = bytes.subarray(offset, offset + Math.min(maxBytes, 10))
          disk.readBytes += data.byteLength
          return Effect.succeed(data)
        }
      }
    })
  }
  const restorer = Restorer.make(replica, snapshots)
  const arrive = (snapshot: SnapshotMeta, bytes: Uint8Array, from: number, to: number) => {
    for (let offset = from; offset < to; offset += 7)
      restorer.arrive({ snapshot, offset, data: bytes.subarray(offset, Math.min(offset + 7, to)) })
  }
  return { replica, disk, restorer, arrive }
}

const bytes = journal("one", "two", "three", "four")
const { byteLength } = bytes
const commands = ["one", "two", "three", "four"]

it.effect("what has arrived is not read from the disk again", () =>
  Effect.gen(function* () {
    const { arrive, disk, replica, restorer } = setUp()
    const meta = snapshotAt(4, "a")
    arrive(meta, bytes, 0, byteLength)
    assert.deepStrictEqual(replica.view(), [])
    disk.snapshot = { meta, bytes }
    assert.deepStrictEqual(yield* restorer.restore(index(4)), { meta, sizeBytes: byteLength })
    assert.deepStrictEqual(replica.view(), commands)
    assert.strictEqual(disk.readBytes, 0)
  })
)

it.effect("what arrived is of no use while the disk does not have it", () =>
  Effect.gen(function* () {
    const { arrive, disk, replica, restorer } = setUp()
    arrive(snapshotAt(4, "a"), bytes, 0, byteLength)
    disk.snapshot = { meta: snapshotAt(3, "b"), bytes: journal("other") }
    const failure = yield* Effect.flip(restorer.restore(index(4)))
    assert.strictEqual(failure._tag, "MachineFailure")
    assert.deepStrictEqual(replica.view(), [])
  })
)

for (const { arrivals, what } of [
  { what: "of which the beginning came in an earlier transfer", arrivals: [[14, byteLength]] },
  { what: "of which the end never came here", arrivals: [[0, 21]] },
  {
    what: "of which a part is missing",
    arrivals: [
      [0, 14],
      [21, byteLength]
    ]
  },
  {
    what: "of which a part came twice",
    arrivals: [
      [0, 21],
      [14, byteLength]
    ]
  },
  {
    what: "of which a part came twice and another is missing",
    arrivals: [
      [0, 14],
      [7, 14],
      [21, byteLength]
    ]
  }
] as const) {
  it.effect(`a snapshot ${what} is read from the disk`, () =>
    Effect.gen(function* () {
      const { arrive, disk, replica, restorer } = setUp()
      const meta = snapshotAt(4, "a")
      for (const [from, to] of arrivals) arrive(meta, bytes, from, to)
      disk.snapshot = { meta, bytes }
      yield* restorer.restore(index(4))
      assert.deepStrictEqual(replica.view(), commands)
      assert.strictEqual(disk.readBytes, byteLength)
    })
  )
}

it.effect("a newer snapshot takes the place of one that was arriving", () =>
  Effect.gen(function* () {
    const { arrive, disk, replica, restorer } = setUp()
    const newer = journal("one", "two", "three", "four", "five")
    const meta = snapshotAt(5, "b")
    arrive(snapshotAt(4, "a"), bytes, 0, 21)
    arrive(meta, newer, 0, newer.byteLength)
    disk.snapshot = { meta, bytes: newer }
    yield* restorer.restore(index(5))
    assert.deepStrictEqual(replica.view(), [...commands, "five"])
    assert.strictEqual(disk.readBytes, 0)
  })
)

it.effect("the rest of another snapshot does not make one whole", () =>
  Effect.gen(function* () {
    const { arrive, disk, replica, restorer } = setUp()
    const meta = snapshotAt(4, "a")
    arrive(meta, bytes, 0, 21)
    arrive(snapshotAt(4, "b"), journal("one", "two", "three", "FOUR"), 21, byteLength)
    disk.snapshot = { meta, bytes }
    yield* restorer.restore(index(4))
    assert.deepStrictEqual(replica.view(), commands)
  })
)

it.effect("another snapshot of the same size on the disk is read, whatever arrived", () =>
  Effect.gen(function* () {
    const { arrive, disk, replica, restorer } = setUp()
    arrive(snapshotAt(4, "a"), bytes, 0, byteLength)
    const other = journal("one", "two", "three", "FOUR")
    disk.snapshot = { meta: snapshotAt(4, "b"), bytes: other }
    yield* restorer.restore(index(4))
    assert.deepStrictEqual(replica.view(), ["one", "two", "three", "FOUR"])
  })
)

it.effect("what arrived goes when the log has got further", () =>
  Effect.gen(function* () {
    const { arrive, disk, restorer } = setUp()
    const meta = snapshotAt(4, "a")
    arrive(meta, bytes, 0, byteLength)
    restorer.forget(index(3))
    restorer.forget(index(4))
    disk.snapshot = { meta, bytes }
    yield* restorer.restore(index(4))
    assert.strictEqual(disk.readBytes, byteLength)
  })
)

it.effect(
  "pieces that are no snapshot are said to be none when it is to be installed, and change nothing",
  () =>
    Effect.gen(function* () {
      const { arrive, disk, replica, restorer } = setUp()
      const meta = snapshotAt(4, "a")
      const broken = bytes.slice()
      broken[3] = 0xff
      arrive(meta, broken, 0, broken.byteLength)
      disk.snapshot = { meta, bytes: broken }
      const failure = yield* Effect.flip(restorer.restore(index(4)))
      assert.strictEqual(failure._tag, "MachineFailure")
      assert.deepStrictEqual(replica.view(), [])
    })
)
