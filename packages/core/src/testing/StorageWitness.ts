/**
 * Holds a store to its word: whatever happened in between, what it has acknowledged is there when it is
 * opened again, and nothing else is.
 *
 * A witness stands between a node and its storage and writes down what was asked for and what was
 * acknowledged. At every opening the store must hold the sum of the acknowledged batches, or that and the
 * one batch whose fate nobody knew; and the newest snapshot that was committed, or one whose commit was
 * under way. So no acknowledged entry is lost, no vote forgotten, and no entry comes back from the dead.
 * A store that fails this dies, with {@link StorageBroken}.
 */
import * as Effect from "effect/Effect"
import type { NodeId } from "../NodeId.ts"
import * as RaftStorage from "../RaftStorage.ts"
import type {
  LogStore,
  RecoveredState,
  SnapshotStore,
  StorageIdentity,
  StoredState,
  WriteBatch
} from "../RaftStorage.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import * as StorageModel from "./StorageModel.ts"

/** A store came back with what it should not have, or without what it should. */
export class StorageBroken extends Error {
  constructor(nodeId: NodeId, detail: string) {
    super(`The store of ${nodeId} does not keep its word: ${detail}`)
    this.name = "StorageBroken"
  }
}

export interface StorageWitness {
  /** The storage, with the witness listening. */
  readonly storage: RaftStorage.RaftStorage["Service"]
  /** What was acknowledged to this node. Not a copy. */
  readonly acknowledged: (identity: StorageIdentity) => Readonly<StoredState>
  readonly snapshot: (identity: StorageIdentity) => SnapshotMeta | undefined
  /** Batches acknowledged so far, over all openings. */
  readonly acknowledgedWrites: (identity: StorageIdentity) => number
  /** The store was taken away on purpose; the next opening finds an empty one. */
  readonly forget: (identity: StorageIdentity) => void
}

/** What one store has promised. */
interface Account {
  readonly nodeId: NodeId
  acknowledged: StoredState
  /** Was asked for and not acknowledged: it may be there after the next opening, or not. */
  pending: WriteBatch | undefined
  snapshot: SnapshotMeta | undefined
  /** Commits that were begun and did not end. */
  readonly pendingSnapshots: Set<SnapshotMeta>
  writes: number
}

const newAccount = (nodeId: NodeId): Account => ({
  nodeId,
  acknowledged: RaftStorage.emptyState(),
  pending: undefined,
  snapshot: undefined,
  pendingSnapshots: new Set(),
  writes: 0
})

/** Stands between `storage` and whoever opens it. */
export const make = (storage: RaftStorage.RaftStorage["Service"]): StorageWitness => {
  const accounts = new Map<string, Account>()

  const keyOf = ({ clusterId, groupId, nodeId }: StorageIdentity) => `${clusterId}/${groupId}/${nodeId}`
  const accountOf = (identity: StorageIdentity): Account => {
    const known = accounts.get(keyOf(identity))
    if (known !== undefined) return known
    const account = newAccount(identity.nodeId)
    accounts.set(keyOf(identity), account)
    return account
  }

  return {
    storage: {
      open: (identity) =>
        Effect.flatMap(storage.open(identity), (store) => listen(accountOf(identity), store))
    },
    acknowledged: (identity) => accountOf(identity).acknowledged,
    snapshot: (identity) => accountOf(identity).snapshot,
    acknowledgedWrites: (identity) => accountOf(identity).writes,
    forget: (identity) => void accounts.delete(keyOf(identity))
  }
}

const listen = (account: Account, store: LogStore): Effect.Effect<LogStore> =>
  Effect.suspend(() => {
    const problem = wrongLog(account, store.recovered) ?? wrongSnapshot(account, store.recovered.snapshot)
    if (problem !== undefined) return broken(account, problem)
    settle(account, store.recovered)
    return Effect.succeed({
      ...store,
      ...(store.writeNow === undefined ? undefined : { writeNow: writeNow(account, store.writeNow) }),
      write: (batch) => write(account, store, batch),
      snapshots: listenToCommits(account, store.snapshots)
    })
  })

const broken = ({ nodeId }: Account, detail: string) => Effect.die(new StorageBroken(nodeId, detail))

const wrongLog = (account: Account, recovered: RecoveredState): string | undefined => {
  const found = StorageModel.ofRecovered(recovered)
  const problem = StorageModel.difference(StorageModel.ofRecovered(account.acknowledged), found)
  if (problem === undefined || account.pending === undefined) return problem
  const { acknowledged, pending } = account
  const withPending = { ...acknowledged, blocks: acknowledged.blocks.slice() }
  RaftStorage.absorb(withPending, pending)
  const otherwise = StorageModel.difference(StorageModel.ofRecovered(withPending), found)
  return otherwise && `${problem}; and if the last write counts, ${otherwise}`
}

const wrongSnapshot = (
  { pendingSnapshots, snapshot }: Account,
  found: SnapshotMeta | undefined
): string | undefined => {
  if (found?.id === snapshot?.id) return undefined
  const wanted = `the newest snapshot is ${describe(found)}, not ${describe(snapshot)}`
  if (found === undefined || found.lastIndex < (snapshot?.lastIndex ?? 0)) return wanted
  return Array.from(pendingSnapshots).some(({ id }) => id === found.id) ? undefined : wanted
}

const describe = (meta: SnapshotMeta | undefined): string =>
  meta === undefined ? "none" : `${meta.id}, up to index ${meta.lastIndex}`

/** From here on what was found is what is relied on. */
const settle = (account: Account, recovered: RecoveredState): void => {
  const { base, blocks, committed, hardState, snapshot } = recovered
  account.acknowledged = { hardState, base, blocks: blocks.slice(), committed }
  account.pending = undefined
  account.snapshot = snapshot
  account.pendingSnapshots.clear()
}

const write = (account: Account, store: LogStore, batch: WriteBatch) =>
  Effect.suspend(() => {
    const isFirstToFail = account.pending === undefined
    account.pending ??= batch
    return Effect.flatMap(store.write(batch), () => {
      if (!isFirstToFail) return broken(account, "it took a batch after one that had failed")
      account.pending = undefined
      RaftStorage.absorb(account.acknowledged, batch)
      account.writes++
      return Effect.void
    })
  })

const writeNow =
  (account: Account, write: (batch: WriteBatch) => boolean) =>
  (batch: WriteBatch): boolean => {
    if (!write(batch)) return false
    if (account.pending !== undefined)
      throw new StorageBroken(account.nodeId, "it took a batch after one that had failed")
    RaftStorage.absorb(account.acknowledged, batch)
    account.writes++
    return true
  }

const listenToCommits = (account: Account, snapshots: SnapshotStore): SnapshotStore => ({
  ...snapshots,
  writer: (options) =>
    Effect.map(snapshots.writer(options), (writer) => ({
      ...writer,
      commit: Effect.suspend(() => {
        account.pendingSnapshots.add(options.meta)
        return Effect.map(writer.commit, () => {
          account.pendingSnapshots.delete(options.meta)
          if (options.meta.lastIndex >= (account.snapshot?.lastIndex ?? 0)) account.snapshot = options.meta
        })
      })
    }))
})
