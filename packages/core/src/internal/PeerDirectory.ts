/**
 * The fiber that tells the transport whom to talk to, as the membership changes.
 *
 * The peers are the members of the membership in force, which is the last in the log (paper, section 6); of
 * the last that is committed, which is in force again when that one is cut away; and whoever a leader still
 * tells of its removal. Opening and closing links is
 * the transport's business and may take its time; the actor does not wait for it.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Configurations from "../consensus/Configurations.ts"
import type { NodeState } from "../consensus/NodeState.ts"
import { replicatedTo } from "../consensus/NodeState.ts"
import * as LogIndex from "../LogIndex.ts"
import * as Membership from "../Membership.ts"
import type { PeerAddress } from "../Membership.ts"
import type { NodeId } from "../NodeId.ts"
import type { Endpoint } from "../RaftTransport.ts"

export interface PeerDirectory {
  /** To be told of every turn; costs next to nothing while the membership stays as it is. */
  readonly onTurn: (before: NodeState, after: NodeState) => void
  readonly run: Effect.Effect<never>
}

export const make = (state: () => NodeState, endpoint: Endpoint): PeerDirectory => {
  const changed = Latch.makeUnsafe(true)
  const update = Effect.suspend(() => {
    changed.closeUnsafe()
    return endpoint.setPeers(readable(peers(state()), endpoint))
  }).pipe(Effect.catch((error) => Effect.logError(`The peers stay as they were: ${error.message}`)))
  return {
    onTurn: (before, after) => {
      if (mayDiffer(before, after)) changed.openUnsafe()
    },
    run: Effect.forever(Effect.andThen(Latch.await(changed), update), { disableYield: true })
  }
}

const mayDiffer = (before: NodeState, after: NodeState): boolean =>
  before.configurations !== after.configurations ||
  isSettled(before) !== isSettled(after) ||
  (after.role._tag === "Leader" &&
    (before.role._tag !== "Leader" || before.role.progress.size !== after.role.progress.size))

const isSettled = ({ commitIndex, configurations }: NodeState): boolean =>
  Configurations.latest(configurations).index <= commitIndex

/** Whom a node in this state talks to, and where they are reached. */
export const peers = (state: NodeState): ReadonlyMap<NodeId, PeerAddress> => {
  const { first, later } = state.configurations
  const wanted = new Set(replicatedTo(state))
  const addresses = new Map<NodeId, PeerAddress>()
  // After a restart the commit index is behind, but the one before the last is committed all the same.
  const settledIndex = LogIndex.max(state.commitIndex, Configurations.previous(state.configurations).index)
  const committed = Configurations.at(state.configurations, settledIndex)
  for (const { index, membership } of [first, ...later]) {
    const isInForce = membership === committed || index > settledIndex
    for (const { id, address } of Membership.allMembers(membership)) {
      if (isInForce) wanted.add(id)
      addresses.set(id, address)
    }
  }
  wanted.delete(state.self)
  return new Map(Array.from(addresses).filter(([id]) => wanted.has(id)))
}

/** An address that got into the log though this node's transport cannot read it must not cut off the others. */
const readable = (
  addresses: ReadonlyMap<NodeId, PeerAddress>,
  endpoint: Endpoint
): ReadonlyMap<NodeId, PeerAddress> =>
  new Map(Array.from(addresses).filter(([, address]) => endpoint.problemWith(address) === undefined))
