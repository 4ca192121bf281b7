/** The part of the storage contract that is about writing snapshots: who may, what is gone on with, what survives. */
import * as Effect from "effect/Effect"
import type { LogStore, StorageIdentity } from "../RaftStorage.ts"
import {
  expectDefect,
  expectNewest,
  expectReason,
  expectReopened,
  expectReopenedWith,
  expectStored,
  home,
  session,
  snapshotOf,
  sumOf,
  takeSnapshot,
  violated,
  writeAll,
  writePieces
} from "./StorageContractKit.ts"
import type { ContractCase, Snapshot } from "./StorageContractKit.ts"
import { append, beginAfter, block } from "./StorageScripts.ts"

const mebibyte = 1024 * 1024

const writingCases: ReadonlyArray<ContractCase> = [
  {
    name: "has no snapshot that was not committed",
    run: Effect.gen(function* () {
      const [former, unfinished] = [snapshotOf(5), snapshotOf(9, { sizeBytes: 200_000 })]
      yield* session(home, (store) => takeSnapshot(store, former))
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const writer = yield* store.snapshots.writer({ meta: unfinished.meta, purpose: "Take" })
          yield* writePieces(writer, unfinished.bytes)
          yield* expectNewest(store, former)
        })
      )
      yield* expectReopenedWith(former)
    })
  },
  {
    name: "does not keep the piece that it was given",
    run: Effect.gen(function* () {
      const snapshot = snapshotOf(5, { sizeBytes: 1000 })
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const writer = yield* store.snapshots.writer({ meta: snapshot.meta, purpose: "Take" })
          const piece = new Uint8Array(100)
          for (let at = 0; at < 1000; at += 100) {
            piece.set(snapshot.bytes.subarray(at, at + 100))
            yield* writer.write(piece)
            piece.fill(0)
          }
          yield* writer.commit
        })
      )
      yield* expectReopenedWith(snapshot)
    })
  },
  {
    name: "has one writer for each purpose at a time",
    run: session(home, (store) =>
      Effect.gen(function* () {
        const options = { meta: snapshotOf(5).meta, purpose: "Receive" } as const
        yield* Effect.scoped(
          Effect.andThen(
            store.snapshots.writer(options),
            expectDefect(Effect.scoped(store.snapshots.writer(options)), "a second writer")
          )
        )
        yield* store.snapshots.writer(options)
      })
    )
  },
  {
    name: "does not let a writer be used after its commit",
    run: session(home, (store) =>
      Effect.gen(function* () {
        const snapshot = snapshotOf(5)
        const writer = yield* store.snapshots.writer({ meta: snapshot.meta, purpose: "Take" })
        yield* writePieces(writer, snapshot.bytes)
        yield* writer.commit
        yield* expectDefect(writer.write(new Uint8Array(1)), "a piece after the commit")
        yield* expectDefect(writer.commit, "a second commit")
        yield* expectNewest(store, snapshot)
      })
    )
  },
  {
    name: "refuses writers and readers after it was closed",
    run: Effect.gen(function* () {
      const { meta } = snapshotOf(5)
      const closed = yield* session(home, Effect.succeed)
      const writer = Effect.scoped(closed.snapshots.writer({ meta, purpose: "Take" }))
      yield* expectReason(writer, "IoFailed", "a writer of a closed store")
      yield* expectReason(Effect.scoped(closed.snapshots.reader), "IoFailed", "a reader of a closed store")
    })
  },
  {
    name: "takes snapshots while the log is written",
    run: Effect.gen(function* () {
      const snapshot = snapshotOf(2, { sizeBytes: 150_000 })
      const batches = Array.from({ length: 15 }, (_, position) => append(block(position + 1, 1)))
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const writer = yield* store.snapshots.writer({ meta: snapshot.meta, purpose: "Take" })
          for (const [position, batch] of batches.entries()) {
            yield* writePieces(writer, snapshot.bytes, { until: (position + 1) * 10_000 })
            yield* store.write(batch)
          }
          yield* writer.commit
        })
      )
      yield* expectReopened(sumOf(batches))
      yield* expectReopenedWith(snapshot)
    })
  }
]

/** How much of a part a store may give up: what it had not written yet. */
const mayBeLostBytes = mebibyte

const large = snapshotOf(9, { id: "large", sizeBytes: 3 * mebibyte })

/** Writes most of a snapshot, and leaves it. */
const leaveUnfinished = session(home, (store) =>
  Effect.flatMap(store.snapshots.writer({ meta: large.meta, purpose: "Receive" }), (writer) =>
    writePieces(writer, large.bytes, { until: 2.5 * mebibyte })
  )
)

type ReceiveOptions = { readonly meta: Snapshot["meta"]; readonly resume?: boolean }

const expectOffset = (store: LogStore, options: ReceiveOptions, expected: number) =>
  Effect.scoped(
    Effect.flatMap(store.snapshots.writer({ ...options, purpose: "Receive" }), (writer) =>
      writer.offset() === expected
        ? Effect.void
        : violated(`the writer stands at byte ${writer.offset()}, not ${expected}`)
    )
  )

const beginsAnew = (name: string, options: ReceiveOptions): ContractCase => ({
  name,
  run: Effect.gen(function* () {
    const snapshot = { meta: options.meta, bytes: snapshotOf(2, { sizeBytes: 5000 }).bytes }
    yield* leaveUnfinished
    yield* session(home, (store) =>
      Effect.gen(function* () {
        const writer = yield* store.snapshots.writer({ ...options, purpose: "Receive" })
        if (writer.offset() !== 0)
          return yield* violated(`the writer stands at byte ${writer.offset()}, not 0`)
        yield* writePieces(writer, snapshot.bytes)
        return yield* writer.commit
      })
    )
    yield* expectReopenedWith(snapshot)
  })
})

const resumeCases: ReadonlyArray<ContractCase> = [
  {
    name: "goes on with the part of a snapshot",
    run: Effect.gen(function* () {
      yield* leaveUnfinished
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const options = { meta: large.meta, purpose: "Receive", resume: true } as const
          const writer = yield* store.snapshots.writer(options)
          const offset = writer.offset()
          if (offset > 2.5 * mebibyte || offset < 2.5 * mebibyte - mayBeLostBytes)
            return yield* violated(`the part has ${offset} bytes`)
          yield* writePieces(writer, large.bytes)
          return yield* writer.commit
        })
      )
      yield* expectReopenedWith(large)
    })
  },
  {
    name: "goes on with a part again and again",
    run: Effect.gen(function* () {
      for (let until = 300_000; until <= large.bytes.byteLength; until += 300_000) {
        yield* session(home, (store) =>
          Effect.flatMap(
            store.snapshots.writer({ meta: large.meta, purpose: "Take", resume: true }),
            (writer) => writePieces(writer, large.bytes, { until })
          )
        )
      }
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const writer = yield* store.snapshots.writer({ meta: large.meta, purpose: "Take", resume: true })
          yield* writePieces(writer, large.bytes)
          yield* writer.commit
        })
      )
      yield* expectReopenedWith(large)
    })
  },
  beginsAnew("begins anew when it is not told to go on", { meta: large.meta }),
  beginsAnew("begins anew with a snapshot of another id", {
    meta: { ...large.meta, id: "other" },
    resume: true
  }),
  {
    name: "removes the part of another snapshot",
    run: Effect.gen(function* () {
      yield* leaveUnfinished
      yield* session(home, (store) =>
        store.snapshots.writer({ meta: snapshotOf(3).meta, purpose: "Receive", resume: true })
      )
      yield* session(home, (store) => expectOffset(store, { meta: large.meta, resume: true }, 0))
    })
  },
  {
    name: "has no part left after the commit",
    run: Effect.gen(function* () {
      yield* leaveUnfinished
      yield* session(home, (store) =>
        Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* store.snapshots.writer({
              meta: large.meta,
              purpose: "Receive",
              resume: true
            })
            yield* writePieces(writer, large.bytes)
            yield* writer.commit
          })
        ).pipe(Effect.andThen(expectOffset(store, { meta: large.meta, resume: true }, 0)))
      )
    })
  }
]

/** The cases that every store must pass. */
export const cases: ReadonlyArray<ContractCase> = [...writingCases, ...resumeCases]

/** For stores whose machine can lose its power. */
export const powerCases = <R>(
  losePower: (identity: StorageIdentity) => Effect.Effect<void, never, R>
): ReadonlyArray<ContractCase<R>> => [
  {
    name: "keeps a committed snapshot, and where the log begins, when the power fails",
    run: Effect.gen(function* () {
      const batches = [append(block(1, 1, 9)), beginAfter(4, 1), append(block(10, 1)), beginAfter(8, 1)]
      const covering = [undefined, snapshotOf(4), snapshotOf(4), snapshotOf(8)]
      for (const [position, batch] of batches.entries()) {
        yield* session(home, (store) =>
          Effect.gen(function* () {
            yield* expectStored(sumOf(batches.slice(0, position)), store, "after a power failure")
            yield* writeAll(store, [batch])
            yield* losePower(home)
          })
        )
        yield* expectReopenedWith(covering[position])
      }
      yield* expectReopened(sumOf(batches))
    })
  },
  {
    name: "has the former snapshot when the power fails before the commit",
    run: Effect.gen(function* () {
      const [former, unfinished] = [snapshotOf(5), snapshotOf(9, { sizeBytes: 200_000 })]
      yield* session(home, (store) => takeSnapshot(store, former))
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const writer = yield* store.snapshots.writer({ meta: unfinished.meta, purpose: "Take" })
          yield* writePieces(writer, unfinished.bytes)
          yield* losePower(home)
          yield* expectReason(writer.commit, "IoFailed", "a commit after the failure")
        })
      )
      yield* expectReopenedWith(former)
    })
  },
  {
    name: "goes on with what is whole of a part when the power has failed",
    run: Effect.gen(function* () {
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const writer = yield* store.snapshots.writer({ meta: large.meta, purpose: "Receive" })
          yield* writePieces(writer, large.bytes, { until: 2 * mebibyte })
          yield* losePower(home)
        })
      )
      yield* session(home, (store) =>
        Effect.gen(function* () {
          const options = { meta: large.meta, purpose: "Receive", resume: true } as const
          const writer = yield* store.snapshots.writer(options)
          yield* writePieces(writer, large.bytes)
          yield* writer.commit
        })
      )
      yield* expectReopenedWith(large)
    })
  }
]
