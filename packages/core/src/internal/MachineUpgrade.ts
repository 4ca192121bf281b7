/**
 * The fiber that has the group switch to a newer version of its state machine (as rabbitmq/ra does it): the
 * leader proposes the highest version that every member can run, as its peers told when they connected.
 *
 * It runs only where the program's machine has versions, and waits unless this node leads and could do more
 * than the group does. A proposal too many does no harm: a switch to a version that is not newer is nothing.
 */
import * as Effect from "effect/Effect"
import * as NodeState from "../consensus/NodeState.ts"
import * as MachineVersion from "../MachineVersion.ts"
import type { NodeId } from "../NodeId.ts"
import type { RunningNode } from "./RunningNode.ts"
import * as LocalProposal from "./LocalProposal.ts"
import type { Watchers } from "./Watchers.ts"

export interface Options {
  /** The highest version that this program can run. */
  readonly supported: number
  /** The version in force, as far as this node has applied the log. */
  readonly current: () => number
  readonly state: () => NodeState.NodeState
  readonly watchers: Watchers
  readonly attributesOf: (peer: NodeId) => Readonly<Record<string, string>>
  readonly node: Pick<RunningNode<never>, "propose" | "abandon">
}

/** The highest version that every member can run; 0 while some member has not been heard of. */
const common = ({ attributesOf, state, supported }: Options): number =>
  NodeState.peersOf(state()).reduce(
    (lowest, peer) => Math.min(lowest, MachineVersion.ofAttributes(attributesOf(peer))),
    supported
  )

export const run = (options: Options): Effect.Effect<never> => {
  const { current, node, state, supported, watchers } = options
  return Effect.suspend(() => {
    const changed = watchers.next
    if (state().role._tag !== "Leader" || current() >= supported) return changed
    const version = common(options)
    // Where it fails somebody else leads by now, or it is tried again.
    const proposed = version > current() ? Effect.exit(propose(node, version)) : Effect.void
    // A peer may be starting with a newer program at this moment.
    return Effect.andThen(proposed, Effect.timeoutOption(changed, state().config.electionTimeoutMillis))
  }).pipe(Effect.forever({ disableYield: true }))
}

/** Has the switch in the log, and waits until it is applied here. */
const propose = (node: Options["node"], version: number) =>
  LocalProposal.propose(
    node,
    { kind: "Upgrade", payload: MachineVersion.toPayload(version) },
    LocalProposal.untilApplied
  )
