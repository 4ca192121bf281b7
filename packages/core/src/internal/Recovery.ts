/**
 * What a node knows at its start: what its store holds, in the form in which the rules take it.
 */
import * as Effect from "effect/Effect"
import type { Action } from "../consensus/Action.ts"
import * as FirstElection from "../consensus/FirstElection.ts"
import * as NodeState from "../consensus/NodeState.ts"
import * as Snapshotting from "../consensus/Snapshotting.ts"
import type { Membership } from "../Membership.ts"
import type { RaftConfig } from "../RaftConfig.ts"
import { RaftStorage } from "../RaftStorage.ts"
import type { StorageIdentity } from "../RaftStorage.ts"

export interface Options {
  readonly identity: StorageIdentity
  readonly config: RaftConfig
  /** In force while neither log nor snapshot says otherwise. */
  readonly membership: Membership
  readonly newRequestId: () => number
  readonly readStamp: () => NodeState.Stamp
}

/** Opens the store for as long as the Scope is open. `actions` bring the disk in line with the state. */
export const recover = Effect.fnUntraced(function* (options: Options) {
  const { config, identity, membership, newRequestId, readStamp } = options
  const storage = yield* RaftStorage
  const store = yield* storage.open(identity)
  for (const note of store.recovered.notes) yield* Effect.logWarning(note)

  const { base, blocks, committed, hardState, snapshot } = store.recovered
  const firstRequestId = newRequestId()
  const stamp = readStamp()
  const found = NodeState.initial({
    self: identity.nodeId,
    config,
    membership,
    hardState,
    base,
    blocks,
    committed,
    snapshot,
    firstRequestId,
    stamp
  })
  const actions: Array<Action> = []
  const reconciled = Snapshotting.reconcile(found, (action) => actions.push(action))
  const state = FirstElection.atStart(reconciled, stamp)
  return { store, state, actions }
})
