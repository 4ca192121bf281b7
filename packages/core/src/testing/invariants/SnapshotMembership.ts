/**
 * A snapshot carries "the latest configuration in the log as of last included index" (paper, section 7): not one that
 * came later, which may yet be cut away, and not an older one, whose majorities may decide no more.
 */
import type { NodeState } from "../../consensus/NodeState.ts"
import type { LogEntry } from "../../LogEntry.ts"
import type { LogIndex } from "../../LogIndex.ts"
import * as Membership from "../../Membership.ts"
import type { NodeId } from "../../NodeId.ts"
import { Violation } from "./Invariant.ts"
import type { Invariant } from "./Invariant.ts"

export const make = (): Invariant => {
  const property = "Snapshot Membership"
  /** What the cluster began with, and the configurations that were applied, by their index. */
  const known = new Map<LogIndex, Membership.Membership>()

  /** In force at this index. */
  const at = (index: LogIndex): Membership.Membership | undefined => {
    let latest: LogIndex | undefined
    for (const candidate of known.keys())
      if (candidate <= index && (latest === undefined || candidate > latest)) latest = candidate
    return latest === undefined ? undefined : known.get(latest)
  }

  const check = (nodeId: NodeId, { snapshot }: NodeState): void => {
    if (snapshot === undefined) return
    const expected = at(snapshot.lastIndex)
    if (expected !== undefined && !Membership.isSame(expected, snapshot.membership)) {
      const detail = `its snapshot ${snapshot.id} carries another membership than the one in force at ${snapshot.lastIndex}`
      throw new Violation(property, nodeId, detail)
    }
  }

  return {
    property,
    onStart: (nodeId, state) => {
      const { index, membership } = state.configurations.first
      // Who is to join belongs to nobody yet.
      if (known.size === 0 && membership.voters.length > 0) known.set(index, membership)
      check(nodeId, state)
    },
    onTurn: (nodeId, { after, before }) => {
      if (after.snapshot !== before.snapshot) check(nodeId, after)
    },
    onApplied: (_nodeId, { index, kind, payload }: LogEntry) => {
      if (kind === "Configuration" && !known.has(index)) known.set(index, Membership.fromPayload(payload))
    }
  }
}
