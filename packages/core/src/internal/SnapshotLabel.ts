/**
 * What stands on a snapshot of a node: a name of its own, and what the machine's bytes do not tell.
 */
import * as Configurations from "../consensus/Configurations.ts"
import type { NodeId } from "../NodeId.ts"
import type { SnapshotMeta } from "../Snapshot.ts"
import type { ReplicaSnapshot } from "./Replica.ts"
import type { Place } from "./Snapshotter.ts"

/**
 * Whether this node can say who the members were at `place`. Who joined later can be sent the log from its beginning on,
 * in which those who began the cluster do not stand.
 */
export const isPossible = (configurations: Configurations.Configurations, { index }: Place): boolean =>
  Configurations.at(configurations, index).voters.length > 0

/** `number` makes the name differ from that of any other snapshot that this node takes at this place. */
export const of = (
  nodeId: NodeId,
  number: number,
  configurations: Configurations.Configurations,
  { index, term, timestampMillis }: Place,
  { machineVersion, sessionBytes }: ReplicaSnapshot
): SnapshotMeta => ({
  id: `${nodeId}-${index}-${number.toString(36)}`,
  lastIndex: index,
  lastTerm: term,
  lastTimestampMillis: timestampMillis,
  membership: Configurations.at(configurations, index),
  ...(sessionBytes === 0 ? undefined : { sessionBytes }),
  ...(machineVersion === 0 ? undefined : { machineVersion })
})
