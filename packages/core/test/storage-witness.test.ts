/**
 * The witness of a store, shown to bite: a store that keeps its word passes it, one that forgets, invents
 * or goes on after a failure does not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as MemoryStorage from "../src/MemoryStorage.ts"
import { IoFailed, StorageError } from "../src/RaftStorage.ts"
import type { LogStore, RaftStorage, RecoveredState } from "../src/RaftStorage.ts"
import * as MemoryDisk from "../src/testing/MemoryDisk.ts"
import * as StorageContractKit from "../src/testing/StorageContractKit.ts"
import { append, block, vote } from "../src/testing/StorageScripts.ts"
import * as StorageWitness from "../src/testing/StorageWitness.ts"

const identity = StorageContractKit.home

const diskFailed = new StorageError({
  reason: new IoFailed({ operation: "write", location: "memory", detail: "as the test asked" })
})

type Storage = RaftStorage["Service"]

/** A storage that shows something else at an opening than what is there. */
const showing = (storage: Storage, change: (recovered: RecoveredState) => RecoveredState): Storage => ({
  open: (identity) =>
    Effect.map(storage.open(identity), (store) => ({ ...store, recovered: change(store.recovered) }))
})

const using = <A, E>(storage: Storage, use: (store: LogStore) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(storage.open(identity), use))

const writeSome = (store: LogStore) =>
  StorageContractKit.writeAll(store, [vote(1, "n1"), append(block(1, 1, 3)), append(block(4, 1, 2))])

/** Writes, closes, opens again, and gives what the witness says of it. */
const reopened = (change: (recovered: RecoveredState) => RecoveredState) =>
  Effect.gen(function* () {
    let isFirst = true
    const storage = showing(MemoryStorage.make(), (recovered) => {
      if (!isFirst) return change(recovered)
      isFirst = false
      return recovered
    })
    const witness = StorageWitness.make(storage)
    yield* using(witness.storage, writeSome)
    return saidBy(yield* Effect.exit(using(witness.storage, () => Effect.void)))
  })

const saidBy = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  assert.instanceOf(error, StorageWitness.StorageBroken)
  return error.message
}

describe("a witness of a store", () => {
  it.effect("has nothing against one that keeps its word", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* reopened((recovered) => recovered))
    })
  )

  it.effect("hears of a lost entry", () =>
    Effect.gen(function* () {
      const said = yield* reopened((recovered) => ({ ...recovered, blocks: recovered.blocks.slice(0, 1) }))
      assert.match(said ?? "", /n1 does not keep its word: the log has 3 entries, not 5/)
    })
  )

  it.effect("hears of a forgotten vote", () =>
    Effect.gen(function* () {
      const said = yield* reopened((recovered) => ({
        ...recovered,
        hardState: { ...recovered.hardState, votedFor: null }
      }))
      assert.match(said ?? "", /votedFor is null, not n1/)
    })
  )

  it.effect("hears of an entry from the dead", () =>
    Effect.gen(function* () {
      const said = yield* reopened((recovered) => ({
        ...recovered,
        blocks: [...recovered.blocks, block(6, 1)]
      }))
      assert.match(said ?? "", /the log has 6 entries, not 5/)
    })
  )

  it.effect("lets a write that was never acknowledged be there or not", () =>
    Effect.gen(function* () {
      for (const fate of ["Lost", "Kept"] as const) {
        const disk = MemoryDisk.make()
        const witness = StorageWitness.make(disk.storage)
        yield* using(witness.storage, writeSome)
        const failing = (store: LogStore) => Effect.flip(store.write(append(block(6, 1))))
        yield* disk.failNextWrite(identity, fate)
        yield* using(witness.storage, failing)
        yield* using(witness.storage, () => Effect.void)
        const { blocks } = witness.acknowledged(identity)
        assert.strictEqual(blocks.length, fate === "Kept" ? 3 : 2)
      }
    })
  )

  it.effect("hears of a write after one that had failed", () =>
    Effect.gen(function* () {
      let writes = 0
      const forgiving: Storage = {
        open: (identity) =>
          Effect.map(MemoryDisk.make().storage.open(identity), (store) => ({
            ...store,
            write: (batch) => (++writes === 2 ? Effect.fail(diskFailed) : store.write(batch))
          }))
      }
      const witness = StorageWitness.make(forgiving)
      const exit = yield* Effect.exit(
        using(witness.storage, (store) =>
          Effect.gen(function* () {
            yield* store.write(vote(1, "n1"))
            yield* Effect.flip(store.write(append(block(1, 1))))
            yield* store.write(append(block(1, 1)))
          })
        )
      )
      assert.match(saidBy(exit) ?? "", /took a batch after one that had failed/)
    })
  )

  it.effect("hears of a snapshot that is gone", () =>
    Effect.gen(function* () {
      let isFirst = true
      const storage = showing(MemoryStorage.make(), (recovered) => {
        const shown = isFirst ? recovered : { ...recovered, snapshot: undefined }
        isFirst = false
        return shown
      })
      const witness = StorageWitness.make(storage)
      const snapshot = StorageContractKit.snapshotOf(5)
      yield* using(witness.storage, (store) =>
        Effect.andThen(writeSome(store), StorageContractKit.takeSnapshot(store, snapshot))
      )
      const exit = yield* Effect.exit(using(witness.storage, () => Effect.void))
      assert.match(saidBy(exit) ?? "", /the newest snapshot is none/)
    })
  )
})
