/**
 * The part of the storage contract that is about snapshots: what they keep, when one replaces another, how they
 * are read.
 */
import * as Effect from "effect/Effect"
import type { WriteBatch } from "../RaftStorage.ts"
import {
  expectBytes,
  expectContents,
  expectDefect,
  expectNewest,
  expectReopened,
  expectReopenedWith,
  home,
  identityOf,
  session,
  snapshotOf,
  sumOf,
  takeSnapshot,
  violated,
  writeAll,
  writePieces
} from "./StorageContractKit.ts"
import type { ContractCase, Snapshot } from "./StorageContractKit.ts"
import { append, beginAfter, block, truncate, vote } from "./StorageScripts.ts"

const mebibyte = 1024 * 1024

const keeps = (what: string, snapshot: Snapshot, pieceBytes = 10_000): ContractCase => ({
  name: `keeps ${what}`,
  run: Effect.andThen(
    session(home, (store) =>
      Effect.andThen(takeSnapshot(store, snapshot, pieceBytes), expectNewest(store, snapshot))
    ),
    expectReopenedWith(snapshot)
  )
})

const withJointMembership = ({ bytes, meta }: Snapshot): Snapshot => {
  const { voters } = meta.membership
  const learners = voters.slice(1).map((member) => ({ ...member, address: "[::1]:7003" }))
  return { bytes, meta: { ...meta, membership: { _tag: "Joint", voters, learners, outgoing: voters } } }
}

const contentsCases: ReadonlyArray<ContractCase> = [
  { name: "has no snapshot when new", run: expectReopenedWith(undefined) },
  keeps("an empty snapshot", snapshotOf(3, { sizeBytes: 0 })),
  keeps("a snapshot of one byte", snapshotOf(3, { sizeBytes: 1 })),
  keeps("a snapshot in pieces of one byte", snapshotOf(3, { sizeBytes: 300 }), 1),
  keeps("a snapshot in pieces of 7 bytes", snapshotOf(3, { sizeBytes: 70_000 }), 7),
  keeps("a snapshot in pieces of 4 KiB", snapshotOf(3, { sizeBytes: 8 * 4096 }), 4096),
  keeps("a snapshot in pieces of 64 KiB", snapshotOf(3, { sizeBytes: 4 * 65_536 }), 65_536),
  keeps("a snapshot in pieces of 64 KiB and a byte", snapshotOf(3, { sizeBytes: 300_000 }), 65_537),
  keeps(
    "a snapshot of several mebibytes in one piece",
    snapshotOf(3, { sizeBytes: 5 * mebibyte }),
    5 * mebibyte
  ),
  keeps("a snapshot with the longest id", snapshotOf(3, { id: "a.B-9_".repeat(17).slice(0, 100) })),
  keeps(
    "a snapshot at the largest index and term",
    snapshotOf(Number.MAX_SAFE_INTEGER, {
      term: Number.MAX_SAFE_INTEGER,
      id: "last"
    })
  ),
  keeps("the membership of a snapshot, learners and joint sets too", withJointMembership(snapshotOf(12)))
]

const replacementCases: ReadonlyArray<ContractCase> = [
  {
    name: "has the later of two snapshots",
    run: Effect.gen(function* () {
      const [former, later] = [snapshotOf(5), snapshotOf(9, { sizeBytes: 3000 })]
      yield* session(home, (store) =>
        Effect.gen(function* () {
          yield* takeSnapshot(store, former)
          yield* takeSnapshot(store, later)
          yield* expectNewest(store, later)
        })
      )
      yield* expectReopenedWith(later)
    })
  },
  {
    name: "has the later of two snapshots, opened again in between",
    run: Effect.gen(function* () {
      for (const snapshot of [snapshotOf(5), snapshotOf(9), snapshotOf(10), snapshotOf(100)]) {
        yield* session(home, (store) => takeSnapshot(store, snapshot))
        yield* expectReopenedWith(snapshot)
      }
    })
  },
  {
    name: "drops a snapshot that ends before the newest",
    run: Effect.gen(function* () {
      const newest = snapshotOf(9)
      yield* session(home, (store) =>
        Effect.gen(function* () {
          yield* takeSnapshot(store, newest)
          yield* takeSnapshot(store, snapshotOf(5))
          yield* expectNewest(store, newest)
        })
      )
      yield* expectReopenedWith(newest)
    })
  },
  {
    name: "has the second of two snapshots of one index",
    run: Effect.gen(function* () {
      const [first, second] = [snapshotOf(9, { id: "z" }), snapshotOf(9, { id: "a", sizeBytes: 500 })]
      yield* session(home, (store) =>
        Effect.gen(function* () {
          yield* takeSnapshot(store, first)
          yield* takeSnapshot(store, second)
          yield* expectNewest(store, second)
        })
      )
      yield* expectReopenedWith(second)
    })
  },
  {
    name: "does not change what it recovered when a snapshot is committed",
    run: session(home, (store) =>
      Effect.andThen(
        takeSnapshot(store, snapshotOf(5)),
        Effect.suspend(() =>
          store.recovered.snapshot === undefined ? Effect.void : violated("what was recovered has changed")
        )
      )
    )
  },
  {
    name: "takes snapshots of both purposes at the same time, in either order",
    run: Effect.gen(function* () {
      const [taken, received] = [snapshotOf(20), snapshotOf(10, { sizeBytes: 3000 })]
      for (const isReceivedFirst of [true, false]) {
        const identity = home
        yield* session(identity, (store) =>
          Effect.gen(function* () {
            const taking = yield* store.snapshots.writer({ meta: taken.meta, purpose: "Take" })
            const receiving = yield* store.snapshots.writer({ meta: received.meta, purpose: "Receive" })
            yield* writePieces(receiving, received.bytes, { until: 1000 })
            yield* writePieces(taking, taken.bytes)
            yield* writePieces(receiving, received.bytes)
            const [first, second] = isReceivedFirst ? [receiving, taking] : [taking, receiving]
            yield* first.commit
            yield* second.commit
            yield* expectNewest(store, taken)
          })
        )
        yield* expectReopenedWith(taken)
      }
    })
  }
]

const readingCases: ReadonlyArray<ContractCase> = [
  {
    name: "reads a snapshot from any place, in any length",
    run: session(home, (store) =>
      Effect.gen(function* () {
        const snapshot = snapshotOf(5, { sizeBytes: 200_000 })
        yield* takeSnapshot(store, snapshot)
        const reader = yield* store.snapshots.reader
        if (reader === undefined) return yield* violated("there is no snapshot")
        for (let round = 0; round < 60; round++) {
          const [at, bytes] = [(round * 7919 * 17) % 200_500, (round * 104_729) % 150_000]
          yield* expectBytes(yield* reader.read(at, bytes), snapshot.bytes.subarray(at, at + bytes), at)
        }
        for (const readBytes of [65_536, 65_537, 199_999, 1_000_000]) {
          yield* expectContents(reader, snapshot.bytes, readBytes)
        }
        return undefined
      })
    )
  },
  {
    name: "goes on reading a snapshot that a newer one has replaced",
    run: session(home, (store) =>
      Effect.gen(function* () {
        const [former, newer] = [snapshotOf(5, { sizeBytes: 200_000 }), snapshotOf(8)]
        yield* takeSnapshot(store, former)
        const reader = yield* store.snapshots.reader
        if (reader === undefined) return yield* violated("there is no snapshot")
        yield* expectBytes(yield* reader.read(0, 1000), former.bytes.subarray(0, 1000), 0)
        yield* takeSnapshot(store, newer)
        yield* expectContents(reader, former.bytes)
        return yield* expectNewest(store, newer)
      })
    )
  },
  {
    name: "has two readers of one snapshot",
    run: session(home, (store) =>
      Effect.gen(function* () {
        const snapshot = snapshotOf(5, { sizeBytes: 100_000 })
        yield* takeSnapshot(store, snapshot)
        const [one, two] = [yield* store.snapshots.reader, yield* store.snapshots.reader]
        for (const reader of [one, two, one]) {
          if (reader === undefined) return yield* violated("there is no snapshot")
          yield* expectContents(reader, snapshot.bytes)
        }
        return undefined
      })
    )
  }
]

const refuses = (what: string, batch: WriteBatch): ContractCase => ({
  name: `refuses ${what}`,
  run: Effect.gen(function* () {
    const written = [append(block(1, 1, 9)), beginAfter(4, 1)]
    yield* session(home, (store) =>
      Effect.andThen(writeAll(store, written), expectDefect(store.write(batch), what))
    )
    yield* expectReopened(sumOf(written))
  })
})

const logCases: ReadonlyArray<ContractCase> = [
  refuses("a log that begins after its newest snapshot", beginAfter(5, 1)),
  refuses("a truncation of what the snapshot covers", truncate(4)),
  refuses("a truncation of all of a log that has a snapshot", truncate(1, block(1, 2))),
  refuses("a gap after the beginning of the log", { ...beginAfter(4, 1), blocks: [block(11, 1)] }),
  {
    name: "refuses a log that begins later without a snapshot",
    run: session(home, (store) =>
      Effect.andThen(
        store.write(append(block(1, 1, 3))),
        expectDefect(store.write(beginAfter(1, 1)), "a beginning without a snapshot")
      )
    )
  },
  {
    name: "keeps the log as it is when a snapshot is taken",
    run: Effect.gen(function* () {
      const batches = [vote(2, "n1", block(1, 1, 9))]
      yield* session(home, (store) =>
        Effect.andThen(writeAll(store, batches), takeSnapshot(store, snapshotOf(5)))
      )
      yield* expectReopened(sumOf(batches))
      yield* expectReopenedWith(snapshotOf(5))
    })
  }
]

/** The cases that every store must pass. */
export const cases: ReadonlyArray<ContractCase> = [
  ...contentsCases,
  ...replacementCases,
  ...readingCases,
  ...logCases
]

/** For services that have a store for every identity. */
export const manyHomesCases: ReadonlyArray<ContractCase> = [
  {
    name: "keeps the snapshots of two nodes apart",
    run: Effect.gen(function* () {
      const [one, two] = [snapshotOf(5), snapshotOf(5, { sizeBytes: 700 })]
      yield* session(home, (store) => takeSnapshot(store, one))
      yield* expectReopenedWith(undefined, identityOf("n2"))
      yield* session(identityOf("n2"), (store) => takeSnapshot(store, two))
      yield* expectReopenedWith(one)
      yield* expectReopenedWith(two, identityOf("n2"))
    })
  }
]
