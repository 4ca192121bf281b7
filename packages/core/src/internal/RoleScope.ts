/**
 * The Scope of the present role. When role or term changes the old Scope is closed, with every fiber in
 * it, and a new one is opened: what waited on behalf of an old term cannot act in a new one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import type { NodeState } from "../consensus/NodeState.ts"
import { replicatedTo } from "../consensus/NodeState.ts"
import * as Candidate from "../roles/Candidate.ts"
import * as Follower from "../roles/Follower.ts"
import * as Leader from "../roles/Leader.ts"
import { sharesScope } from "../roles/Role.ts"
import type { RoleContext } from "../roles/Role.ts"

export interface RoleScope {
  /**
   * Opens the Scope that `state` belongs in, if it is not the open one, and lets a leader's replicators follow
   * its peers. Nothing, where all is as it should be.
   */
  readonly reconcile: (state: NodeState) => Effect.Effect<void> | undefined
  /** The state has changed: a leader's replicators send what they have, a follower's reads are kept in mind. */
  readonly onTurn: (state: NodeState) => void
}

export const make = (node: RoleContext): Effect.Effect<RoleScope, never, Scope.Scope> =>
  Effect.gen(function* () {
    const parent = yield* Effect.scope
    /** The state for which the present Scope was opened. */
    let openedFor: NodeState | undefined
    let current: Scope.Closeable | undefined
    let replicators: Leader.Replicators | undefined
    const readsWait = Latch.makeUnsafe(false)
    /** The state for whose peers the replicators are. */
    let reconciled: NodeState | undefined

    const reconcileReplicators = (state: NodeState): Effect.Effect<void> | undefined => {
      if (replicators === undefined || hasSamePeers(reconciled, state)) return undefined
      reconciled = state
      return replicators.reconcile(replicatedTo(state))
    }

    const enter = (state: NodeState) =>
      Effect.gen(function* () {
        switch (state.role._tag) {
          case "Follower":
            yield* fork("electionTimer", Follower.electionTimer(node))
            yield* fork("readReminder", Follower.readReminder(node, readsWait))
            return
          case "PreCandidate":
          case "Candidate":
            yield* fork("electionTimer", Follower.electionTimer(node))
            yield* fork("askVoters", Candidate.askVoters(node))
            return
          case "Leader":
            replicators = yield* Leader.makeReplicators(node)
            yield* reconcileReplicators(state) ?? Effect.void
            yield* fork("heartbeat", Leader.heartbeat(node))
        }
      })

    return {
      reconcile: (state) => {
        if (openedFor !== undefined && sharesScope(openedFor, state)) return reconcileReplicators(state)
        return Effect.gen(function* () {
          openedFor = state
          replicators = undefined
          reconciled = undefined
          if (current !== undefined) yield* Scope.close(current, Exit.void)
          current = yield* Scope.fork(parent)
          yield* Scope.provide(enter(state), current)
        })
      },
      onTurn: (state) => {
        replicators?.send()
        if (Follower.hasReads(state)) readsWait.openUnsafe()
      }
    }
  })

/** Peers come with a membership, and go after it. */
const hasSamePeers = (known: NodeState | undefined, { membership, role }: NodeState): boolean =>
  known !== undefined &&
  known.membership === membership &&
  known.role._tag === "Leader" &&
  role._tag === "Leader" &&
  known.role.progress.size === role.progress.size

const fork = (fiber: string, effect: Effect.Effect<void>) =>
  effect.pipe(Effect.annotateLogs({ fiber }), Effect.forkScoped({ startImmediately: true }))
