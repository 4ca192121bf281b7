/**
 * A `RaftStorage` without a disk, for programs that may forget: a demo, a cache, a test of something else.
 *
 * What was written is there for as long as the layer lives, so a node that is closed and opened again
 * finds its log; when the process ends, all is gone. It never fails. For a store that crashes, hangs and
 * fails on demand see `testing/MemoryDisk`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemorySnapshots from "./MemorySnapshots.ts"
import type { StorageIdentity } from "./RaftStorage.ts"
import * as RaftStorage from "./RaftStorage.ts"

interface Store {
  readonly state: RaftStorage.StoredState
  readonly shelf: MemorySnapshots.Shelf
  isOpen: boolean
}

/** An empty memory. Every identity has a store of its own in it. */
export const make = (): RaftStorage.RaftStorage["Service"] => {
  const stores = new Map<string, Store>()

  const storeOf = (identity: StorageIdentity): Store => {
    const key = locationOf(identity)
    const known = stores.get(key)
    if (known !== undefined) return known
    const store = {
      state: RaftStorage.emptyState(),
      shelf: MemorySnapshots.emptyShelf(),
      isOpen: false
    }
    stores.set(key, store)
    return store
  }

  return {
    open: (identity) =>
      Effect.map(Effect.acquireRelease(lock(storeOf(identity), identity), unlock), toLogStore)
  }
}

const lock = (store: Store, identity: StorageIdentity) =>
  Effect.suspend(() => {
    if (store.isOpen)
      return fail(new RaftStorage.StoreLocked({ location: locationOf(identity), owner: "this process" }))
    store.isOpen = true
    return Effect.succeed(store)
  })

const unlock = (store: Store) =>
  Effect.sync(() => {
    store.isOpen = false
  })

const toLogStore = (store: Store): RaftStorage.LogStore => {
  const expectOpen = Effect.suspend(() =>
    store.isOpen
      ? Effect.void
      : fail(
          new RaftStorage.IoFailed({ operation: "write", location: "memory", detail: "the store is closed" })
        )
  )
  return {
    recovered: {
      hardState: store.state.hardState,
      base: store.state.base,
      blocks: store.state.blocks.slice(),
      committed: store.state.committed,
      snapshot: store.shelf.newest?.meta,
      notes: []
    },
    write: (batch) =>
      Effect.andThen(
        expectOpen,
        Effect.sync(() => absorb(store, batch))
      ),
    writeNow: (batch) => {
      if (!store.isOpen) return false
      absorb(store, batch)
      return true
    },
    snapshots: MemorySnapshots.open(store.shelf, {
      expectOpen,
      persist: (change) => Effect.andThen(expectOpen, Effect.sync(change))
    })
  }
}

const absorb = ({ shelf, state }: Store, batch: RaftStorage.WriteBatch): void => {
  const problem =
    RaftStorage.misfit(RaftStorage.extentOf(state), batch) ?? RaftStorage.uncovered(batch, shelf.newest?.meta)
  if (problem !== undefined) throw new Error(`Batch refused: ${problem}`)
  RaftStorage.absorb(state, batch)
}

const fail = (reason: RaftStorage.StorageError["reason"]) =>
  Effect.fail(new RaftStorage.StorageError({ reason }))

const locationOf = ({ clusterId, groupId, nodeId }: StorageIdentity): string =>
  `memory:${clusterId}/${groupId}/${nodeId}`

/** A memory of its own for each time the layer is built. */
export const layer: Layer.Layer<RaftStorage.RaftStorage> = Layer.sync(RaftStorage.RaftStorage, make)
